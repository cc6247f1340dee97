import { createHash } from 'node:crypto'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { CompactSign, exportJWK, generateKeyPair } from 'jose'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { openSnapshotClient, type SnapshotClient } from '../../gateway/catalogue/snapshot-client.ts'
import { openAuthority } from '../../pki/authority/authority.ts'
import { readClientId } from '../../protocol/identifiers.ts'
import { listen } from '../../runtime/lifecycle.ts'
import { temporaryFolder } from '../pki/support.ts'
import { obtain } from '../support/certificates.ts'
import { HOUR_MS } from '../support/clock.ts'
import { silent } from './support.ts'

let client: SnapshotClient
let asked: number
/** What the catalogue gives for every description. */
let served: { status: number; body: string | Buffer }
/** What it gives for the snapshot. */
let snapshot: typeof served
let keys: Awaited<ReturnType<typeof generateKeyPair>>

beforeEach(async () => {
  await using resources = new AsyncDisposableStack()
  const authority = await openAuthority({
    instance: 'KH-TEST',
    stateDir: join(temporaryFolder(), 'authority'),
    publicUrl: () => 'http://127.0.0.1:1',
    clock: () => new Date(),
  })
  resources.use(authority)
  const identity = { instance: 'KH-TEST', memberClass: 'GOV', member: 'OPERATOR' }
  const { cert, key } = await obtain(authority, { kind: 'server', identity })
  keys = await generateKeyPair('ES256', { extractable: true })
  asked = 0
  snapshot = { status: 503, body: '' }
  const server = createServer({ cert, key }, (request, response) => {
    const isDescription = request.url?.startsWith('/descriptions/')
    if (isDescription) asked += 1
    const answer = isDescription ? served : snapshot
    response.writeHead(answer.status).end(answer.body)
  })
  const { port } = resources.use(await listen(server, 0))
  client = resources.use(
    await openSnapshotClient({
      anchor: {
        instance: 'KH-TEST',
        catalogueUrl: `https://127.0.0.1:${port}`,
        keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'ES256' }],
        rootCertificates: [authority.root.pem],
      },
      dir: temporaryFolder(),
      pollSeconds: 1,
      clock: () => new Date(),
      logger: silent,
    }),
  )
  const open = resources.move()
  return () => open.disposeAsync()
})

const BODY = '{"openapi":"3.0.3"}'
const DIGEST = createHash('sha256').update(BODY).digest('base64url')

describe('a service description', () => {
  it('is asked for once, and then kept', async () => {
    served = { status: 200, body: BODY }
    for (let i = 0; i < 3; i += 1) expect((await client.description(DIGEST)).toString()).toBe(BODY)
    expect(asked).toBe(1)
  })

  it.each([
    ['another document', 200, `${BODY} `],
    ['the document with another status', 404, BODY],
  ])('is not %s, and that is not kept', async (_name, status, body) => {
    served = { status, body }
    const missing = { code: 'service.description-missing' }
    await expect(client.description(DIGEST)).rejects.toMatchObject(missing)
    served = { status: 200, body: BODY }
    expect((await client.description(DIGEST)).toString()).toBe(BODY)
  })

  it('that is longer than anybody reads is refused', async () => {
    served = { status: 200, body: Buffer.alloc(11_000_000) }
    const attempt = client.description(DIGEST)
    await expect(attempt).rejects.toMatchObject({ code: 'catalogue.unavailable' })
  })
})

describe('two snapshots of one number', () => {
  const sign = async (number: number, code: string): Promise<void> => {
    const text = JSON.stringify({
      version: 1,
      instance: 'KH-TEST',
      number,
      issuedAt: new Date().toISOString(),
      expiresAt: new Date(Date.now() + HOUR_MS).toISOString(),
      authorities: [],
      members: [],
      gateways: [],
      groups: [{ code, title: code, members: ['KH-TEST/COM/BANK'] }],
    })
    const header = { alg: 'ES256', kid: 'k1', typ: 'spean-snapshot' }
    const jws = new CompactSign(Buffer.from(text)).setProtectedHeader(header)
    snapshot = { status: 200, body: await jws.sign(keys.privateKey) }
  }
  const groups = (): unknown => client.newest?.groupsOf(readClientId('KH-TEST/COM/BANK'))

  it('are a contradiction: the first one stays, until there is a higher number', async () => {
    await sign(5, 'first')
    await vi.waitFor(() => expect(groups()).toEqual(['first']), 10_000)
    await vi.waitFor(() => expect(client.health.fault).toBeUndefined(), 10_000)
    await sign(5, 'second')
    await vi.waitFor(() => expect(client.health.fault).toBeDefined(), 10_000)
    expect(groups()).toEqual(['first'])
    await sign(6, 'third')
    await vi.waitFor(() => expect(groups()).toEqual(['third']), 10_000)
    await vi.waitFor(() => expect(client.health.fault).toBeUndefined(), 10_000)
  })
})
