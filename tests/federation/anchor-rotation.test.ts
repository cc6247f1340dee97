/** The catalogue's key, its outage and its restored backup, while exchanges go on. */
import { execFile } from 'node:child_process'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, it, vi } from 'vitest'
import { attention } from '../../cli/commands/status.ts'
import type { AnchorState } from '../../gateway/catalogue/anchor-chain.ts'
import type { CatalogueHealth } from '../../gateway/catalogue/snapshot-client.ts'
import type { Catalogue } from '../../service-catalogue/server.ts'
import {
  INSTANCE,
  REGISTRY,
  startFederation,
  type Federation,
  type TestGateway,
} from '../support/federation.ts'
import { startCatalogueIn } from '../support/federation-catalogue.ts'
import { send } from '../support/http.ts'

let f: Federation
/** The one that runs now, after the first was stopped. */
let catalogue: Catalogue
beforeAll(async () => {
  f = await startFederation()
  catalogue = f.catalogue
  // Files of their own: by the statements alone they learn of a rotation
  for (const gateway of [f.client, f.provider]) {
    const anchorFile = join(gateway.config.stateDir, 'given.json')
    cpSync(f.catalogue.anchorFile, anchorFile)
    await gateway.restart({ anchorFile })
  }
  return async () => {
    await catalogue[Symbol.asyncDispose]()
    await f[Symbol.asyncDispose]()
  }
})

const call = async (): Promise<number> => (await f.call(`/r1/${REGISTRY}/echo`)).status
interface Status {
  readonly program: string
  readonly anchor: AnchorState
  readonly catalogue: CatalogueHealth
  readonly snapshot: { readonly number: number; readonly expiresAt: string }
}
const statusOf = ({ admin }: TestGateway): Promise<Status> => admin.call('GET', '/admin/status')
const metricsOf = async ({ running }: TestGateway): Promise<string> => {
  const { ports, adminToken } = running
  const rawHeaders = ['Authorization', `Bearer ${adminToken}`]
  const answer = await send({ port: ports.admin, path: '/metrics', rawHeaders, tls: { ca: f.ca } })
  return answer.body.toString('utf8')
}
const bothHave = async (check: (status: Status) => void): Promise<void> => {
  for (const gateway of [f.client, f.provider]) {
    await vi.waitFor(async () => check(await statusOf(gateway)), { timeout: 10_000 })
  }
}
const step = (name: string): Promise<unknown> =>
  f.catalogueAdmin.call('POST', `/admin/anchor/${name}`, {})

/** Calls one after the other until `work` is over. */
async function calling(work: () => Promise<void>): Promise<number[]> {
  const outcomes: number[] = []
  let isOver = false
  const calls = (async () => {
    while (!isOver) outcomes.push(await call())
  })()
  await work().finally(() => (isOver = true))
  await calls
  return outcomes
}

it('a rotation fails no call, and no gateway is touched', async () => {
  const { number, keys: before } = (await statusOf(f.client)).anchor
  const outcomes = await calling(async () => {
    await step('prepare')
    // Refused until both said, with their certificates, that they have the next anchor
    await vi.waitFor(() => step('switch'), { timeout: 10_000 })
    await bothHave(({ snapshot }) => expect(snapshot.number).toBe(catalogue.snapshotNumber()))
    await step('retire')
    await bothHave(({ anchor }) => expect(anchor.number).toBe(number + 2))
  })
  expect(outcomes.length).toBeGreaterThan(3)
  expect(new Set(outcomes)).toEqual(new Set([200]))
  await bothHave(({ anchor }) => {
    expect(anchor.keys).toHaveLength(1)
    expect(anchor.keys).not.toEqual(before)
    expect(anchor.adoptedAt).toBeDefined()
  })
  expect(await metricsOf(f.client)).toContain(`spean_gateway_anchor_number ${number + 2}`)
  await f.addService('after-rotation')
  await f.settled()
  expect((await f.call(`/r1/${REGISTRY}/after-rotation`)).status).toBe(200)
})

it('the command follows the rotations from an old anchor file as well', async () => {
  const { anchorFile, authentication } = f.client.config
  const main = join(import.meta.dirname, '..', '..', 'cli', 'main.ts')
  const args = ['cert', 'explain', authentication.certificateFile, '--anchor', anchorFile]
  const { stdout } = await promisify(execFile)(process.execPath, [main, ...args])
  expect(stdout).toContain('KH-TEST/COM/BANK/BANK-1')
})

it('a catalogue that was restored from a backup is refused, everybody says why, and it goes on', async () => {
  const stateDir = join(f.dir, 'catalogue')
  const database = join(stateDir, 'catalogue.db')
  const backup = join(f.dir, 'catalogue-backup.db')
  const restart = async (change: () => void): Promise<void> => {
    await catalogue[Symbol.asyncDispose]()
    change()
    expect(await call()).toBe(200) // nobody is there
    catalogue = await startCatalogueIn(INSTANCE, f.dir, {
      port: f.catalogue.port,
      clock: f.clocks.catalogue,
    })
  }
  await restart(() => cpSync(database, backup))
  for (const name of ['One', 'Two', 'Three']) {
    await f.catalogueAdmin.call('PUT', '/admin/members/GOV/LATE', { name })
  }
  const newest = catalogue.snapshotNumber()
  await bothHave(({ snapshot }) => expect(snapshot.number).toBe(newest))
  await restart(() => cpSync(backup, database))
  expect(catalogue.snapshotNumber()).toBeLessThan(newest)

  const words = `is older than ${newest}, which this gateway had`
  await bothHave((status) => {
    expect(status.catalogue.refused).toBe('catalogue.outdated')
    expect(status.snapshot.number).toBe(newest)
    expect(attention(status as object).join()).toContain(words)
  })
  expect(await metricsOf(f.provider)).toContain(
    'spean_gateway_snapshot_refused{code="catalogue.outdated"} 1',
  )
  expect(await call()).toBe(200)

  const own = (): Promise<{ behind?: { snapshot: number; gateways: string[] } }> =>
    f.catalogueAdmin.call('GET', '/admin/status')
  await vi.waitFor(async () => expect((await own()).behind?.gateways).toHaveLength(2), {
    timeout: 10_000,
  })
  const { behind } = await own()
  expect(behind!.snapshot).toBe(newest)
  expect(attention((await own()) as object).join()).toContain(`resume --from ${newest}`)
  await f.catalogueAdmin.call('POST', '/admin/snapshot-number', { from: behind!.snapshot })
  await bothHave((status) => {
    expect(status.snapshot.number).toBe(newest + 1)
    expect(status.catalogue.fault).toBeUndefined()
  })
  expect(await call()).toBe(200)
  expect((await own()).behind).toBeUndefined()
})
