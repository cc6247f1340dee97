import { afterAll, beforeAll, expect, it } from 'vitest'
import { apiPath } from '../../runtime/api-client.ts'
import {
  INSTANCE,
  REGISTRY,
  startFederation,
  type Federation,
  type TestGateway,
} from '../support/federation.ts'
import { openSlowLine } from '../support/slow-line.ts'

const LIFETIME_MS = 24_000
const SIZE = 1_048_576
/** So that a body is under way for longer than a certificate lives. */
const BYTES_PER_SECOND = SIZE / ((LIFETIME_MS + 6000) / 1000)

let f: Federation
let line: AsyncDisposable
beforeAll(async () => {
  const lifetime = `${LIFETIME_MS / 1000}s`
  f = await startFederation({
    authority: {
      lifetimes: {
        ...{ informationSystem: '730d', server: '730d' },
        ...{ authentication: lifetime, signing: lifetime },
      },
    },
  })
  const enrolment = { url: f.authority.estUrl }
  // A slow line looks like a pause to who writes.
  const patient = { connectMs: 5000, providerMs: 60_000, idleMs: 20_000 }
  const timeouts = { ...f.client.config.timeouts, ...patient }
  await f.client.restart({ enrolment, timeouts })
  await f.provider.restart({ enrolment, timeouts })
  const slow = await openSlowLine(f.provider.running.ports.peers, BYTES_PER_SECOND)
  line = slow
  await f.catalogueAdmin.call('PUT', apiPath('/admin/gateways', 'GOV', 'REG', 'REG-1'), {
    address: `https://127.0.0.1:${slow.port}`,
    clients: [`${INSTANCE}/GOV/REG/POP`],
  })
  await f.settled()
}, 60_000)
afterAll(async () => {
  await f[Symbol.asyncDispose]()
  await line[Symbol.asyncDispose]()
})

interface Own {
  readonly thumbprint: string
  readonly active: boolean
  readonly notAfter: string
}
const inUse = async ({ admin }: TestGateway): Promise<Own[]> =>
  (await admin.call<{ certificates: Own[] }>('GET', '/admin/status')).certificates.filter(
    ({ active }) => active,
  )

it(
  'bodies on the way, there and back, come to their end while every certificate is renewed and ends',
  { timeout: 90_000 },
  async () => {
    const [client, provider] = await Promise.all([inUse(f.client), inUse(f.provider)])
    expect([client.length, provider.length]).toEqual([2, 2])
    const begun = performance.now()
    const timed = async (call: ReturnType<Federation['call']>) => {
      const { status, body } = await call
      const text = status === 200 ? '' : body.toString('utf8')
      return { status, text, size: body.length, ms: performance.now() - begun }
    }
    let isOver = false
    const others = async (): Promise<Set<number>> => {
      const seen = new Set<number>()
      while (!isOver) {
        seen.add((await f.call(`/r1/${REGISTRY}/echo/x`)).status)
        await new Promise((done) => setTimeout(done, 200))
      }
      return seen
    }
    const beside = others()
    const [there, back] = await Promise.all([
      timed(f.call(`/r1/${REGISTRY}/echo/x`, { method: 'POST', body: Buffer.alloc(SIZE, 7) })),
      timed(f.call(`/r1/${REGISTRY}/echo/megabyte`)),
    ])
    isOver = true
    expect(there).toMatchObject({ status: 200, text: '' })
    expect(back).toMatchObject({ status: 200, text: '', size: SIZE })
    expect([...(await beside)]).toEqual([200])
    const ends = Math.max(...[...client, ...provider].map((own) => Date.parse(own.notAfter)))
    expect(ends).toBeLessThan(Date.now())
    expect(Math.min(there.ms, back.ms)).toBeGreaterThan(LIFETIME_MS)
    const before = new Set([...client, ...provider].map(({ thumbprint }) => thumbprint))
    const now = [...(await inUse(f.client)), ...(await inUse(f.provider))]
    expect(now.filter(({ thumbprint }) => before.has(thumbprint))).toEqual([])
  },
)
