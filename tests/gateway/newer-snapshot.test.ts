import { exportJWK, CompactSign } from 'jose'
import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:https'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openSnapshotClient, type SnapshotClient } from '../../gateway/catalogue/snapshot-client.ts'
import type { Authenticated, Received } from '../../gateway/exchange-state.ts'
import { authenticatePeer } from '../../gateway/steps/authenticate-peer.ts'
import { verifySignature } from '../../gateway/steps/verify-signature.ts'
import { requestExchange } from '../../gateway/exchange.ts'
import { generateKey } from '../../pki/keys.ts'
import { listen } from '../../runtime/lifecycle.ts'
import { createTestAuthority, temporaryFolder } from '../pki/support.ts'
import { HOUR_MS } from '../support/clock.ts'
import { BANK, pairOfGateways, silent, type Pair } from './support.ts'

const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
let client: SnapshotClient
let number: number
/** Questions that the catalogue got, and how many it holds. */
let asked: number
let isBroken: boolean
let close: () => Promise<void>

const sign = async (): Promise<string> => {
  const state = { authorities: [], members: [], gateways: [], groups: [] }
  const expiresAt = new Date(Date.now() + (number - 4) * HOUR_MS).toISOString()
  const terms = { version: 1, instance: 'KH-TEST', number, issuedAt: expiresAt, expiresAt }
  return new CompactSign(Buffer.from(JSON.stringify({ ...terms, ...state })))
    .setProtectedHeader({ alg: 'ES256', kid: 'k1', typ: 'spean-snapshot' })
    .sign(keys.privateKey)
}

beforeEach(async () => {
  number = 5
  asked = 0
  isBroken = false
  await using resources = new AsyncDisposableStack()
  const authority = await createTestAuthority()
  const tls = await generateKey('P-256')
  const certificate = await authority.issue({
    profile: 'server',
    publicKey: tls.publicKey,
    subjectAltNames: ['127.0.0.1'],
    at: new Date(),
  })
  // It holds a question for good, as one behind a firewall that forgot the connection does.
  const server = createServer(
    {
      cert: certificate.pem + authority.issuing.certificate.pem,
      key: tls.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    },
    (request, response) => {
      asked += 1
      if (isBroken) return void response.writeHead(500).end()
      if (request.headers['if-none-match'] === `"${number}"`) return
      void sign().then((jws) => response.writeHead(200, { etag: `"${number}"` }).end(jws))
    },
  )
  resources.defer(() => server.closeAllConnections())
  const { port } = resources.use(await listen(server, 0))
  client = resources.use(
    await openSnapshotClient({
      anchor: {
        instance: 'KH-TEST',
        catalogueUrl: `https://127.0.0.1:${port}`,
        keys: [{ ...(await exportJWK(keys.publicKey)), kid: 'k1', alg: 'ES256' }],
        rootCertificates: [authority.root.certificate.pem],
      },
      dir: temporaryFolder(),
      pollSeconds: 30,
      clock: () => new Date(),
      logger: silent,
    }),
  )
  const open = resources.move()
  close = () => open.disposeAsync()
  // The second question, which is held.
  await expect.poll(() => asked, { timeout: 5000 }).toBe(2)
})
afterEach(() => close())

const timed = async (wanted: number): Promise<[got: number, ms: number]> => {
  const begun = performance.now()
  const { number: got } = await client.atLeast(wanted, new Date())
  return [got, performance.now() - begun]
}

describe('a snapshot that a peer names', () => {
  it('is asked for at once when it is newer', async () => {
    number = 6
    const [got, ms] = await timed(6)
    expect(got).toBe(6)
    expect(ms).toBeLessThan(1500)
  })

  it('costs nothing when it is not newer', async () => {
    for (const wanted of [5, 4, 0]) {
      const [got, ms] = await timed(wanted)
      expect(got).toBe(5)
      expect(ms).toBeLessThan(50)
    }
    expect(asked).toBe(2)
  })

  it('that there is not costs two seconds, and two questions, however many name it', async () => {
    const all = await Promise.all(Array.from({ length: 50 }, (_, i) => timed(1000 + i)))
    for (const [got, ms] of all) {
      expect(got).toBe(5)
      expect(ms).toBeLessThan(2500)
    }
    expect(asked).toBeLessThanOrEqual(4)
    expect(client.health.fault).toBeUndefined()
  })
})

describe('a snapshot that expired in a sleep', () => {
  const later = (hours: number): Date => new Date(Date.now() + hours * HOUR_MS)

  it('is replaced by the next one while the exchange waits', async () => {
    number = 6
    expect((await client.atLeast(0, later(1.5))).number).toBe(6)
  })

  it('is told as what it is when there is no other in two seconds', async () => {
    await expect(client.atLeast(0, later(1.5))).rejects.toMatchObject({ code: 'catalogue.expired' })
  })

  it('is told at once when the catalogue does not answer', async () => {
    isBroken = true
    await client.atLeast(6, new Date())
    await expect.poll(() => client.health.fault, { timeout: 5000 }).toBeDefined()
    const begun = performance.now()
    await expect(client.atLeast(9, later(1.5))).rejects.toMatchObject({ code: 'catalogue.expired' })
    expect(performance.now() - begun).toBeLessThan(500)
  })
})

describe('a receiver that is a snapshot behind', () => {
  /** The provider's view as it was before the bank's certificates were listed. */
  async function behind(): Promise<{
    pair: Pair
    received: Received
    gw: Pair['provider']['gw']
    wanted: number[]
  }> {
    const pair = await pairOfGateways()
    await requestExchange(pair.asked(), pair.client.gw)
    const wanted: number[] = []
    const old = {
      ...pair.view,
      number: 6,
      signingCertificate: () => undefined,
      gatewayByCertificate: () => undefined,
    }
    const atLeast = async (wantedNumber: number): Promise<typeof pair.view> => {
      wanted.push(wantedNumber)
      return wantedNumber >= 7 ? pair.view : old
    }
    const gw = { ...pair.provider.gw, catalogue: { current: () => old, atLeast } }
    const received = pair.received(pair.sent[0]!, { claimedSnapshot: 7 })
    return { pair, received, gw, wanted }
  }

  it('finds a peer’s new certificate, and goes on with the newer snapshot', async () => {
    const { received, gw, wanted, pair } = await behind()
    const { peer, catalogue } = await authenticatePeer(received, gw)
    expect(peer.id).toBe(`${BANK}/BANK-1`)
    expect(catalogue).toBe(pair.view)
    expect(wanted).toEqual([0, 7])
  })

  it('finds a signer’s new certificate', async () => {
    const { received, gw, wanted, pair } = await behind()
    const peer = pair.view.gateway(`${BANK}/BANK-1`)!
    const state: Authenticated = {
      ...received,
      peer,
      catalogue: gw.catalogue.current(new Date()) as never,
    }
    expect((await verifySignature(state, gw)).client).toMatchObject({ member: 'BANK' })
    expect(wanted).toEqual([7])
  })

  it('refuses what the newer one has not either', async () => {
    const { received, gw } = await behind()
    const claim = { ...received, claimedSnapshot: 6 }
    await expect(authenticatePeer(claim, gw)).rejects.toMatchObject({
      code: 'peer.certificate-unregistered',
    })
  })
})
