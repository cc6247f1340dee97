import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openArchiveSource } from '../../exchange-log/archive/archive-source.ts'
import { logKeyOf, verifyFolder } from '../support/verified-log.ts'
import { INSTANCE, startFederation } from '../support/federation.ts'
import { temporaryFolder } from '../pki/support.ts'
import { startTimeStampingServer } from '../support/time-stamping-server.ts'

interface State {
  readonly archives: readonly { archive: string; first: number; last: number }[]
  readonly first: number
  readonly last: number
  readonly isRunning: boolean
  readonly fault?: string
}

describe('archives of a running gateway', () => {
  it('are made when told to, once records are time-stamped, and the log verifies meanwhile', async () => {
    const folder = join(temporaryFolder(), 'archives')
    await using tsa = await startTimeStampingServer()
    await using federation = await startFederation({
      provider: {
        exchangeLog: {
          ...{ maxBytes: 2 ** 30, warnFreeBytes: 0, rules: [], number: 1 },
          archive: { folder },
        },
        timeStamping: {
          ...{ intervalSeconds: 1, limitMinutes: 240, authorities: [], refuseAtLimit: false },
        },
      },
    })
    const { provider, catalogueAdmin } = federation
    const archiveUpTo = async (upTo: number): Promise<State> => {
      await provider.admin.call('POST', '/admin/log-archives', { upTo })
      for (;;) {
        const state = await provider.admin.call<State>('GET', '/admin/log-archives')
        if (!state.isRunning) return state
        await new Promise((done) => setTimeout(done, 50))
      }
    }
    for (let i = 0; i < 6; i += 1) {
      expect((await federation.call(`/r1/${INSTANCE}/GOV/REG/POP/echo/${i}`)).status).toBe(200)
    }
    expect(await archiveUpTo(6)).toMatchObject({ first: 1, archives: [] })
    await catalogueAdmin.call('PUT', '/admin/time-stamping-authorities/tsa', {
      url: tsa.url,
      certificates: [tsa.tsa.certificate.pem],
    })
    let state = await archiveUpTo(6)
    for (let i = 0; i < 200 && state.archives.length === 0; i += 1) {
      await new Promise((done) => setTimeout(done, 100))
      state = await archiveUpTo(6)
    }
    expect(state).toMatchObject({ first: 7, archives: [{ first: 1, last: 6 }] })
    expect(state.last).toBeGreaterThanOrEqual(12)
    expect((await federation.call(`/r1/${INSTANCE}/GOV/REG/POP/echo/after`)).status).toBe(200)
    await using source = openArchiveSource(join(folder, state.archives[0]!.archive))
    expect(source.hasAllContent()).toBe(true)
    const { stateDir } = provider.config
    const result = await verifyFolder(stateDir, await logKeyOf(stateDir))
    expect(result.findings).toEqual([])
    expect(result.from).toBe(7)
    const status = await provider.admin.call<{ log: object }>('GET', '/admin/status')
    expect(status.log).toMatchObject({ space: { state: 'ok' }, archive: { isRunning: false } })
  })
})
