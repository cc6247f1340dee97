/** Machines that were asleep: what is due meanwhile is made up for, and nobody is called. */
import { afterEach, expect, it, vi } from 'vitest'
import { parseCrl, verifyCrl } from '../../pki/crl.ts'
import { DAY_MS, HOUR_MS } from '../support/clock.ts'
import {
  REGISTRY,
  startFederation,
  type Federation,
  type TestGateway,
} from '../support/federation.ts'
import { send } from '../support/http.ts'

let f: Federation
afterEach(() => f[Symbol.asyncDispose]())

const PATH = `/r1/${REGISTRY}/echo/x`
const LIFETIME = '4d'
const timeStamping = {
  intervalSeconds: 1,
  limitMinutes: 240,
  refuseAtLimit: false,
  authorities: [],
}

interface Status {
  readonly certificates: readonly { kind: string; thumbprint: string; active: boolean }[]
  readonly renewal: readonly { kind: string; failures: number; failure?: Failure }[]
  readonly timeStamping: { state: string; lastTsa?: string }
}
interface Failure {
  readonly code: string
  readonly detail: string
}
const status = ({ admin }: TestGateway): Promise<Status> => admin.call('GET', '/admin/status')

/** A sandbox in small: authorities, renewal and time-stamps as `npm start` has them. */
async function start(): Promise<void> {
  const lifetimes = { informationSystem: '730d', server: '730d' }
  f = await startFederation({
    authority: { lifetimes: { ...lifetimes, authentication: LIFETIME, signing: LIFETIME } },
  })
  await f.catalogueAdmin.call('PUT', '/admin/time-stamping-authorities/own', {
    url: `${f.authority.publicUrl}/tsp`,
    certificates: [f.ca],
  })
  const enrolment = { url: f.authority.estUrl }
  for (const gateway of [f.client, f.provider]) await gateway.restart({ enrolment, timeStamping })
  await f.settled()
  expect((await f.call(PATH)).status).toBe(200)
}
const sleep = (ms: number): void => {
  for (const clock of Object.values(f.clocks)) clock.offsetMs += ms
}

it.each([20 * HOUR_MS, 3 * DAY_MS])(
  'after %i ms the first call passes, and lists, stamps and certificates are new',
  async (ms) => {
    await start()
    const before = await Promise.all([f.client, f.provider].map(status))
    sleep(ms)
    const first = await f.call(PATH)
    expect([first.status, first.body.toString('utf8')]).toEqual([200, expect.anything()])
    const now = f.clocks.authority.now()
    const { body } = await send({
      port: Number(new URL(f.authority.publicUrl).port),
      path: '/crl/signing.crl',
    })
    verifyCrl(parseCrl(body), f.authority.authority.issuers.signing, now)
    for (const [index, gateway] of [f.client, f.provider].entries()) {
      const old = before[index]!.certificates.map(({ thumbprint }) => thumbprint)
      await vi.waitFor(
        async () => {
          const { certificates, renewal, timeStamping: stamps } = await status(gateway)
          expect(renewal.map(({ failure }) => failure?.detail)).toEqual([undefined, undefined])
          expect(stamps).toMatchObject({ lastTsa: 'own' })
          const fresh = certificates.filter(({ thumbprint }) => !old.includes(thumbprint))
          expect(fresh.length).toBe(ms > 2 * DAY_MS ? 2 : 0)
        },
        { timeout: 15_000, interval: 100 },
      )
    }
    expect((await f.call(PATH)).status).toBe(200)
  },
)

it('certificates that ended meanwhile are named with the way to others', async () => {
  await start()
  sleep(5 * DAY_MS)
  const { status: answered, body } = await f.call(PATH)
  expect(answered).toBe(503)
  expect(body.toString('utf8')).toMatch(
    /\(gateway\.certificate-unsuitable\).*expired at .*spean enroll/s,
  )
  await vi.waitFor(
    async () => {
      for (const { failure } of (await status(f.client)).renewal) {
        expect(failure?.code).toBe('certificate.expired')
        expect(failure?.detail).toContain('spean enroll')
      }
    },
    { timeout: 10_000, interval: 100 },
  )
})
