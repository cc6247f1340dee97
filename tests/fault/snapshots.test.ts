import { createServer } from 'node:https'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CompactSign, exportJWK, generateKeyPair, type CryptoKey } from 'jose'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { openSnapshotClient, type SnapshotClient } from '../../gateway/catalogue/snapshot-client.ts'
import type { Anchor, Snapshot } from '../../protocol/snapshot.ts'
import { createLogger } from '../../runtime/logger.ts'
import { listen, type Listening } from '../../runtime/lifecycle.ts'
import { obtain } from '../support/certificates.ts'
import { HOUR_MS, shiftedClock } from '../support/clock.ts'
import { INSTANCE, startFederation, type Federation } from '../support/federation.ts'

let f: Federation
let listening: Listening
let keys: { publicKey: CryptoKey; privateKey: CryptoKey }
let anchor: Anchor
/** What the made-up catalogue answers. */
let served = ''
const open: SnapshotClient[] = []

beforeAll(async () => {
  f = await startFederation()
  keys = await generateKeyPair('ES256', { extractable: true })
  const identity = { instance: INSTANCE, memberClass: 'GOV', member: 'OPERATOR' }
  const tls = await obtain(f.authority.authority, { kind: 'server', identity })
  const server = createServer({ cert: tls.cert, key: tls.key }, (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/jose' }).end(served)
  })
  listening = await listen(server, 0)
  anchor = {
    instance: INSTANCE,
    catalogueUrl: `https://127.0.0.1:${listening.port}`,
    keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'ES256' }],
    rootCertificates: [f.ca],
  }
})
afterAll(async () => {
  for (const client of open) await client[Symbol.asyncDispose]()
  await listening[Symbol.asyncDispose]()
  await f[Symbol.asyncDispose]()
})

async function sign(
  changes: Partial<Snapshot>,
  { key = keys.privateKey, typ = 'spean-snapshot' }: { key?: CryptoKey; typ?: string } = {},
): Promise<string> {
  const snapshot: Snapshot = {
    version: 1,
    instance: INSTANCE,
    number: 5,
    issuedAt: new Date().toISOString(),
    expiresAt: new Date(Date.now() + HOUR_MS).toISOString(),
    authorities: [],
    members: [],
    gateways: [],
    groups: [],
    ...changes,
  }
  return new CompactSign(Buffer.from(JSON.stringify(snapshot)))
    .setProtectedHeader({ alg: 'ES256', kid: 'k1', typ })
    .sign(key)
}

async function follow(
  dir = mkdtempSync(join(tmpdir(), 'snapshots-')),
  clock = shiftedClock().now,
): Promise<SnapshotClient> {
  const logger = createLogger('test')
  const client = await openSnapshotClient({ anchor, dir, pollSeconds: 1, clock, logger })
  open.push(client)
  return client
}

describe('a snapshot', () => {
  const BAD: [name: string, make: () => Promise<string>][] = [
    ['of another instance', () => sign({ instance: 'EE' })],
    ['that has expired', () => sign({ expiresAt: new Date(Date.now() - 1).toISOString() })],
    [
      'signed with another key',
      async () => sign({}, { key: (await generateKeyPair('ES256')).privateKey }),
    ],
    ['that is another kind of JWS', () => sign({}, { typ: 'JWT' })],
    ['without its members', () => sign({ members: undefined as never })],
    ['that is no JWS', async () => 'hello'],
    [
      'with a certificate that is none',
      () => sign({ authorities: [{ name: 'a', certificates: ['AAAA'] }] }),
    ],
  ]
  it.each(BAD)('%s is not used: there is none', async (_name, make) => {
    served = await make()
    const client = await follow()
    expect(client.newest).toBeUndefined()
    expect(client.health.fault).toBeDefined()
    expect(() => client.current(new Date())).toThrow(
      expect.objectContaining({ code: 'catalogue.unavailable' }),
    )
  })

  it.each(BAD)('%s does not displace a good one', async (_name, make) => {
    served = await sign({})
    const client = await follow()
    expect(client.current(new Date()).number).toBe(5)
    served = await make()
    await vi.waitFor(() => expect(client.health.fault).toBeDefined(), { timeout: 5000 })
    expect(client.current(new Date()).number).toBe(5)
  })

  it('older than the last is refused, also after a restart; a newer one is taken', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'snapshots-'))
    served = await sign({ number: 7 })
    const before = await follow(dir)
    expect(before.current(new Date()).number).toBe(7)
    await before[Symbol.asyncDispose]()
    served = await sign({ number: 6 })
    const client = await follow(dir)
    await vi.waitFor(() => expect(client.health.fault).toContain('older'), { timeout: 5000 })
    expect(client.current(new Date()).number).toBe(7)
    served = await sign({ number: 8 })
    await vi.waitFor(() => expect(client.current(new Date()).number).toBe(8), { timeout: 5000 })
    expect(client.health.fault).toBeUndefined()
  })

  it('older than one that has expired on disk is refused all the same', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'snapshots-'))
    served = await sign({ number: 7 })
    await (await follow(dir))[Symbol.asyncDispose]()
    const later = shiftedClock()
    later.offsetMs = 2 * HOUR_MS
    const expiresAt = new Date(Date.now() + 3 * HOUR_MS).toISOString()
    served = await sign({ number: 6, expiresAt })
    const client = await follow(dir, later.now)
    await vi.waitFor(() => expect(client.health.fault).toContain('older'), { timeout: 5000 })
    expect(client.newest).toBeUndefined()
  })
})
