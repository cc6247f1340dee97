import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  REGISTRY,
  startFederation,
  type Federation,
  type TestGateway,
} from '../support/federation.ts'
import { send } from '../support/http.ts'

/** Long enough that a slow machine keeps up, short enough to wait for. */
const LIFETIME = '45s'
const WAIT_MS = 60_000

let f: Federation
beforeAll(async () => {
  const lifetimes = { informationSystem: '730d', server: '730d' }
  f = await startFederation({
    authority: { lifetimes: { ...lifetimes, authentication: LIFETIME, signing: LIFETIME } },
  })
  const enrolment = { url: f.authority.estUrl }
  await f.client.restart({ enrolment })
  await f.provider.restart({ enrolment })
}, 60_000)
afterAll(() => f[Symbol.asyncDispose]())

interface Certificate {
  readonly kind: string
  readonly thumbprint: string
  readonly active: boolean
}
interface Status {
  readonly certificates: readonly Certificate[]
  readonly renewal: readonly { failure?: unknown }[]
}
const status = ({ admin }: TestGateway): Promise<Status> => admin.call('GET', '/admin/status')
const activeOf = async (gateway: TestGateway): Promise<string[]> =>
  (await status(gateway)).certificates
    .filter(({ active }) => active)
    .map(({ kind, thumbprint }) => `${kind} ${thumbprint}`)
    .toSorted()

describe('gateways that renew their certificates under load', () => {
  it('lose no exchange, and use the new ones everywhere', { timeout: 120_000 }, async () => {
    const gateways = [f.client, f.provider]
    const before = await Promise.all(gateways.map(activeOf))
    expect(before.map((list) => list.length)).toEqual([2, 2])
    const failures: unknown[] = []
    let calls = 0
    let renewed = false
    const load = async (path: string): Promise<void> => {
      while (!renewed) {
        const { status: answered, body } = await f.call(`/r1/${REGISTRY}/echo/${path}`)
        calls += 1
        if (answered !== 200) failures.push(`${answered} ${body.toString('utf8')}`)
        await delay(50)
      }
    }
    const loads = Promise.all(['x', 'y', 'slowly', 'gzip'].map(load))
    const until = performance.now() + WAIT_MS
    for (;;) {
      const now = await Promise.all(gateways.map(activeOf))
      const isNew = now.flat().every((one) => !before.flat().includes(one))
      if (isNew && now.flat().length === 4) break
      expect(performance.now()).toBeLessThan(until)
      await delay(250)
    }
    await delay(1000)
    renewed = true
    await loads
    expect(failures).toEqual([])
    expect(calls).toBeGreaterThan(200)
    for (const gateway of gateways) {
      expect((await status(gateway)).renewal.map(({ failure }) => failure)).toEqual([
        undefined,
        undefined,
      ])
    }
  })

  it('go on with them after a restart', async () => {
    const before = await activeOf(f.client)
    await f.client.restart()
    expect(await activeOf(f.client)).toEqual(before)
    expect((await f.call(`/r1/${REGISTRY}/echo/x`)).status).toBe(200)
  })

  it('say in their metrics when each ends, to who has the token', async () => {
    const { ports, adminToken } = f.client.running
    const scrape = (rawHeaders: string[]) =>
      send({ port: ports.admin, path: '/metrics', rawHeaders, tls: { ca: f.ca } })
    expect((await scrape([])).status).toBe(401)
    const { headers, body } = await scrape(['authorization', `Bearer ${adminToken}`])
    expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/)
    const text = body.toString('utf8')
    for (const line of [
      /^spean_gateway_certificate_not_after_seconds\{kind="signing",member="KH-TEST\/COM\/BANK",thumbprint="[\w-]{43}"\} \d{10}$/m,
      /^spean_gateway_certificate_renewal_next_attempt\{kind="authentication",member="KH-TEST\/COM\/BANK\/BANK-1"\} \d{10}$/m,
      /^# TYPE spean_gateway_certificate_renewal_failures_total counter$/m,
      /^spean_gateway_ocsp_answer_age_seconds\{subject=".*BANK.*",thumbprint="[\w-]{43}",own="true"\} \d+$/m,
      /^spean_gateway_snapshot_number \d+$/m,
      /^spean_gateway_snapshot_age_seconds \d+/m,
      /^spean_gateway_clock_offset_seconds -?\d/m,
      /^spean_gateway_time_stamp_oldest_unstamped_seconds \d+/m,
    ]) {
      expect(text).toMatch(line)
    }
  })
})
