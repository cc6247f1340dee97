/** An operator who wants no exchange without a time-stamp: announced, refused at the limit, ended by the next token. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { REGISTRY, startFederation, type Federation } from '../support/federation.ts'
import { expectRefusal } from '../support/refusals.ts'
import {
  startTimeStampingServer,
  type TimeStampingServer,
} from '../support/time-stamping-server.ts'

/** The schema allows no less than a minute; nobody wants to wait for it here. */
const LIMIT_MS = 3000
const timeStamping = {
  intervalSeconds: 0.2,
  limitMinutes: LIMIT_MS / 60_000,
  refuseAtLimit: true,
  authorities: [],
}

let f: Federation
let server: TimeStampingServer
beforeAll(async () => {
  server = await startTimeStampingServer()
  f = await startFederation({ provider: { timeStamping } })
})
afterAll(async () => {
  await f[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

interface Stamping {
  readonly state: string
  readonly oldestUnstampedAt?: string
  readonly refusedFrom?: string
  readonly refuseAtLimit: boolean
}
const stamping = async (): Promise<Stamping> => {
  const status = await f.provider.admin.call<{ timeStamping: Stamping }>('GET', '/admin/status')
  return status.timeStamping
}
const call = () => f.call(`/r1/${REGISTRY}/echo/x`)
const state = async (): Promise<string> => (await stamping()).state

it('says long before from when on exchanges are refused', async () => {
  expect((await call()).status).toBe(200)
  await expect.poll(state, { timeout: 5000 }).toBe('warning')
  const { oldestUnstampedAt = '', refusedFrom = '', refuseAtLimit } = await stamping()
  expect(refuseAtLimit).toBe(true)
  expect(Date.parse(refusedFrom) - Date.parse(oldestUnstampedAt)).toBe(LIMIT_MS)
  expect((await call()).status).toBe(200)
})

it('refuses at the limit before anything is handed on, names age and limit, and records the refusal', async () => {
  await expect.poll(state, { timeout: 5000 }).toBe('over')
  let text = ''
  await expectRefusal(f, {
    name: 'over the limit',
    code: 'log.unstamped',
    by: 'provider',
    send: async () => {
      const answer = await call()
      text = answer.body.toString()
      return answer
    },
  })
  expect(text).toContain('has records without a time-stamp since')
  expect(text).toContain('the catalogue approves none')
})

it('takes exchanges again with the next token, which covers all of the exchanges before', async () => {
  await f.catalogueAdmin.call('PUT', '/admin/time-stamping-authorities/national', {
    url: server.url,
    certificates: [server.tsa.root.pem],
  })
  await f.settled()
  await expect.poll(state, { timeout: 5000 }).toBe('ok')
  expect((await call()).status).toBe(200)
  const { stamps } = await f.provider.admin.call<{ stamps: { size: number }[] }>(
    'GET',
    '/admin/time-stamps',
  )
  expect(stamps.at(-1)!.size).toBeGreaterThanOrEqual(4)
})
