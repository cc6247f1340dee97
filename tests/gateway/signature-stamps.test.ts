import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openSqliteValidationStore } from '../../exchange-log/validation-store-sqlite.ts'
import type { ValidationStore } from '../../exchange-log/validation-store.ts'
import { createAuthorityList } from '../../gateway/time-stamps/authority-list.ts'
import { createSignatureStamps } from '../../gateway/time-stamps/signature-stamps.ts'
import { createStampSource } from '../../gateway/time-stamps/stamp-source.ts'
import { createTimeStampClient } from '../../gateway/time-stamps/time-stamp-client.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { systemClock as clock } from '../../runtime/clock.ts'
import { openssl, temporaryFolder, writeFiles } from '../pki/support.ts'
import {
  startTimeStampingServer,
  type TimeStampingServer,
} from '../support/time-stamping-server.ts'
import { approvedOf, GATEWAY_ID } from './log-stamper-support.ts'
import { silent } from './support.ts'

const SIGNATURE = Buffer.alloc(64, 0xfb).toString('base64url')

let first: TimeStampingServer
let second: TimeStampingServer
beforeAll(async () => {
  first = await startTimeStampingServer()
  second = await startTimeStampingServer()
})
afterAll(async () => {
  await first[Symbol.asyncDispose]()
  await second[Symbol.asyncDispose]()
})

let folder: string
let store: ValidationStore
beforeEach(() => {
  folder = temporaryFolder()
  store = openSqliteValidationStore(join(folder, 'validation.db'))
  first.serve(first.tsa.open())
  return () => store[Symbol.asyncDispose]()
})

function open({ patienceMs = 15_000 } = {}) {
  const approved = () => [approvedOf('first', first), approvedOf('second', second)]
  const settings = { gatewayId: GATEWAY_ID, names: [], clock, backOffMs: 10_000 }
  const authorities = createAuthorityList({ ...settings, approved })
  const client = createTimeStampClient({ clock })
  const stoodOn: Certificate[] = []
  const onStamp = (path: readonly Certificate[]): void => void stoodOn.push(...path)
  const source = createStampSource({ gatewayId: GATEWAY_ID, authorities, client, onStamp })
  const stamps = createSignatureStamps({ source, store, clock, logger: silent, patienceMs })
  return {
    stamps,
    stoodOn,
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  }
}

describe('the time-stamp of a signature', () => {
  it('is about the base64url text of it, and openssl says so', async () => {
    await using opened = open()
    const { stamp } = await opened.stamps.signatureStamp(SIGNATURE)
    writeFiles(folder, { 'signature.txt': SIGNATURE, 'token.tst': stamp!.token })
    const at = (file: string): string => join(folder, file)
    const verify = ['ts', '-verify', '-in', at('token.tst'), '-token_in']
    const root = join(first.tsa.folder, 'root.pem')
    const proof = await openssl([...verify, '-data', at('signature.txt'), '-CAfile', root])
    expect(proof.output).toContain('Verification: OK')
    expect(opened.stoodOn).toContain(first.tsa.certificate)
  })

  it('is asked for once, by however many at the same time, and not again after a restart', async () => {
    const { asked } = first
    const one = await (async () => {
      await using opened = open()
      const all = await Promise.all(
        Array.from({ length: 5 }, () => opened.stamps.signatureStamp(SIGNATURE)),
      )
      expect(new Set(all.map(({ stamp }) => stamp!.token.toString('hex'))).size).toBe(1)
      return all[0]!
    })()
    await using again = open()
    expect((await again.stamps.signatureStamp(SIGNATURE)).stamp).toEqual(one.stamp)
    expect(first.asked).toBe(asked + 1)
  })

  it('comes of the next authority when the first fails', async () => {
    first.serve(undefined)
    await using opened = open()
    const { stamp, fault } = await opened.stamps.signatureStamp(SIGNATURE)
    expect(fault).toBeUndefined()
    expect(stamp?.token.includes(second.tsa.certificate.der)).toBe(true)
  })

  it('is missing with its reason when no authority gives one, also while they are left alone', async () => {
    first.serve(undefined)
    second.serve(undefined)
    await using opened = open()
    for (const _ of [1, 2]) {
      const { stamp, fault } = await opened.stamps.signatureStamp(SIGNATURE)
      expect(stamp).toBeUndefined()
      expect(fault).toMatchObject({ code: 'timestamp.unavailable' })
      expect(fault!.detail).toContain(`first at ${first.url}`)
    }
    second.serve(second.tsa.open())
  })

  it('is missing after the patience of who asked, and there the next time', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const stamping = first.tsa.open({ stateFile: join(folder, 'slow.db') })
    first.serve({
      answer: async (request) => {
        await released
        return stamping.answer(request)
      },
      [Symbol.dispose]: () => stamping[Symbol.dispose](),
    })
    await using opened = open({ patienceMs: 50 })
    const { stamp, fault } = await opened.stamps.signatureStamp(SIGNATURE)
    expect(stamp).toBeUndefined()
    expect(fault).toMatchObject({ code: 'timestamp.unavailable' })
    release()
    await expect
      .poll(async () => (await opened.stamps.signatureStamp(SIGNATURE)).stamp)
      .toBeDefined()
  })
})
