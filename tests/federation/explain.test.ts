/** What is explained of a call is what the call is told, in the same federation at the same moment. */
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ExplainedCheck } from '../../protocol/explanation.ts'
import { apiPath } from '../../runtime/api-client.ts'
import { addContractSteps, type ContractSteps } from '../support/contracts.ts'
import { BANK, REGISTRY, startFederation, type Federation } from '../support/federation.ts'
import { DAY_MS, HOUR_MS } from '../support/clock.ts'

interface Explanation {
  readonly verdict: string
  readonly provider?: { gateway: string; snapshot: number }
  readonly checks: readonly ExplainedCheck[]
}
interface Call {
  readonly client?: string
  readonly method?: string
  readonly target: string
  readonly purpose?: string
  readonly userId?: string
  readonly issue?: string
  readonly bodySize?: number
  readonly contentType?: string
  readonly securityServer?: string
}

const DESCRIPTION = {
  openapi: '3.1.0',
  info: { title: 'People', version: '1' },
  paths: {
    '/one': {
      get: {
        parameters: [{ name: 'page', in: 'query', schema: { type: 'integer' } }],
        responses: { 200: { description: 'one' } },
      },
      post: {
        requestBody: { required: true, content: { 'application/json': {} } },
        responses: { 200: { description: 'one' } },
      },
    },
  },
}

/** What the programs say in their logs. */
const logged: string[] = []
let f: Federation
let steps: ContractSteps
beforeAll(async () => {
  const write = (line: string): void => void logged.push(line)
  f = await startFederation({ logger: pino({}, { write }) })
  steps = addContractSteps(f)
  await f.addService('people', { grant: null })
  await f.addService('none', { grant: null })
  await f.addService('narrow', { grant: [{ method: 'GET', path: '/one' }] })
  await f.addService('class')
  await f.addService('described', { description: DESCRIPTION })
  await f.addService('away')
  await f.provider.admin.call('DELETE', apiPath('/admin/services', 'GOV', 'REG', 'POP', 'away'))
  await service('class', { title: 'class', classification: 'sensitive' })
  await service('described', {
    ...{ title: 'described', validation: 'enforce', description: DESCRIPTION },
  })
  await f.settled()
})
afterAll(() => f[Symbol.asyncDispose]())

const service = (code: string, body: object): Promise<unknown> =>
  f.catalogueAdmin.call('PUT', apiPath('/admin/services', 'GOV', 'REG', 'POP', code), body)

const explain = (call: Call, more: object = {}): Promise<Explanation> =>
  f.client.admin.call('POST', '/admin/explain', { client: BANK, method: 'GET', ...call, ...more })

const refusals = ({ checks }: Explanation): (string | undefined)[] =>
  checks.filter(({ outcome }) => outcome === 'refuses').map(({ code }) => code)

async function tried(call: Call): Promise<Record<string, unknown>> {
  const { client = BANK, method = 'GET', target, purpose, userId, issue, bodySize = 0 } = call
  const said = {
    'X-Road-Client': client,
    Accept: 'application/problem+json',
    'Spean-Purpose': purpose,
    'X-Road-UserId': userId,
    'X-Road-Issue': issue,
    'Content-Type': call.contentType,
    'X-Road-Security-Server': call.securityServer,
  }
  const rawHeaders = Object.entries(said).flatMap(([name, value]) => (value ? [name, value] : []))
  const body = bodySize > 0 ? { body: Buffer.alloc(bodySize, 'a') } : {}
  const answer = await f.call(target, { method, rawHeaders, ...body })
  if (answer.status < 400) return { status: answer.status }
  return JSON.parse(answer.body.toString('utf8')) as Record<string, unknown>
}

/** The first check that refuses says what the refusal of the call says. */
async function expectTruth(call: Call, code: string): Promise<Explanation> {
  const explained = await explain(call)
  const told = await tried(call)
  const first = explained.checks.find(({ outcome }) => outcome === 'refuses')
  expect([first?.code, told.code]).toEqual([code, code])
  const { step, detail, basis, move, remedy } = told
  expect(first).toMatchObject({ step, detail, move, remedy, ...(basis ? { basis } : {}) })
  expect(told.origin).toBe(`${first?.side}-gateway`)
  expect(explained.verdict).toBe('may-not')
  return explained
}

const at = (code: string, path = '/one'): string => `/r1/${REGISTRY}/${code}${path}`

describe('a call without a contract', () => {
  it('that may be made passes on both sides, and is then made', async () => {
    const securityServer = 'KH-TEST/GOV/REG/REG-1'
    const call = { target: at('narrow'), bodySize: 0, securityServer }
    const explained = await explain(call)
    expect(refusals(explained)).toEqual([])
    expect(explained).toMatchObject({
      verdict: 'may',
      provider: { gateway: 'KH-TEST/GOV/REG/REG-1' },
    })
    expect(explained.checks.map(({ side }) => side)).toContain('provider')
    expect(await tried(call)).toEqual({ status: 200 })
  })

  it.each<[string, Call | (() => Call), string]>([
    [
      'of a method that is none',
      { method: 'PROPFIND', target: '/r1/a' },
      'request.method-unsupported',
    ],
    ['with a dot segment', { target: '/r1/KH-TEST/GOV/REG/POP/narrow/..' }, 'request.path-invalid'],
    ['of an unknown client', { client: 'KH-TEST/COM/BANK/NOBODY', target: '' }, 'client.unknown'],
    ['of another gateway', { client: REGISTRY, target: '' }, 'client.not-served'],
    ['to nobody', { target: '/r1/KH-TEST/GOV/NOBODY/X/y' }, 'provider.unknown'],
    ['of an unknown service', { target: '/r1/KH-TEST/GOV/REG/POP/nothing' }, 'service.unknown'],
    [
      'to a gateway that is not the provider’s',
      { target: '', securityServer: 'KH-TEST/COM/BANK/BANK-1' },
      'provider.no-gateway',
    ],
    [
      'to a gateway of no readable name',
      { target: '', securityServer: 'REG-1' },
      'request.identifier-invalid',
    ],
    ['without a grant', { target: '/r1/KH-TEST/GOV/REG/POP/none' }, 'access.denied'],
    ['of another path', { target: '/r1/KH-TEST/GOV/REG/POP/narrow/two' }, 'access.denied'],
    [
      'of a path with two readings',
      { target: '/r1/KH-TEST/GOV/REG/POP/narrow/a%2Fb' },
      'access.path-ambiguous',
    ],
    ['without what its class asks', { target: '' }, 'access.purpose-missing'],
    [
      'of no operation',
      { target: '/r1/KH-TEST/GOV/REG/POP/described/x' },
      'validation.operation-unknown',
    ],
    [
      'with an unknown parameter',
      { target: '/r1/KH-TEST/GOV/REG/POP/described/one?page=x' },
      'validation.request-invalid',
    ],
    [
      'with a body of another type',
      { method: 'POST', target: '', bodySize: 3, contentType: 'text/plain' },
      'validation.content-type',
    ],
    [
      'of a service that is nowhere',
      { target: '/r1/KH-TEST/GOV/REG/POP/away/' },
      'service.not-connected',
    ],
    [
      'with a body that is too long',
      { method: 'POST', target: '', bodySize: 4_194_305 },
      'request.body-too-large',
    ],
  ])('%s is explained as it is refused', async (_name, call, code) => {
    const given = call as Call
    const byCode: Record<string, string> = {
      'access.purpose-missing': at('class'),
      'validation.content-type': at('described'),
    }
    const target = given.target === '' ? (byCode[code] ?? at('narrow')) : given.target
    await expectTruth({ ...given, target }, code)
  })

  it('is told of all that is lacking at once', async () => {
    await f.catalogueAdmin.call('PUT', apiPath('/admin/stops', 'GOV', 'REG', 'POP', 'class'), {
      reason: 'a test',
    })
    await f.settled()
    const explained = await expectTruth({ target: at('class') }, 'access.stopped')
    await f.catalogueAdmin.call('DELETE', apiPath('/admin/stops', 'GOV', 'REG', 'POP', 'class'))
    await f.settled()
    const lacks = ['access.purpose-missing', 'access.user-missing', 'access.case-missing']
    expect(refusals(explained)).toEqual(['access.stopped', 'access.stopped', ...lacks])
    const complete = { target: at('class'), purpose: 'p', userId: 'u', issue: 'c' }
    expect(refusals(await explain(complete))).toEqual([])
    expect(await tried(complete)).toEqual({ status: 200 })
  })
})

describe('a call under a contract', () => {
  const people = (more: Partial<Call> = {}): Call => ({
    ...{ target: at('people'), purpose: 'kyc' },
    ...more,
  })
  const end = async (id: string): Promise<void> => {
    const body = { reason: 'of a test' }
    await f.client.admin.call('POST', apiPath('/admin/contracts', id, 'revoke'), body)
    await steps.arrived(f.provider, id, 'revoked')
  }

  it('is told clause by clause, and what is left of the quota, which it does not use', async () => {
    const { id, digest } = await steps.inForce({ purposes: ['kyc'], quota: { perDay: 2 } })
    await expectTruth(people({ purpose: 'marketing' }), 'access.purpose-denied')
    const other = { target: at('people', '/two'), purpose: 'marketing' }
    const both = await expectTruth(other, 'access.denied')
    expect(new Set(refusals(both))).toEqual(new Set(['access.denied', 'access.purpose-denied']))
    const basis = { contract: digest, contractId: id, clause: 'endpoints' }
    const first = both.checks.find(({ outcome }) => outcome === 'refuses')
    expect(first?.basis).toMatchObject(basis)
    for (const left of [2, 2, 2]) {
      const { checks, verdict } = await explain(people())
      expect(verdict).toBe('may')
      const quota = checks.find(({ check }) => check === 'quota is not used up')
      expect(quota?.detail).toContain(`${left} on this day`)
    }
    expect(await tried(people())).toEqual({ status: 200 })
    expect(await tried(people())).toEqual({ status: 200 })
    await expectTruth(people(), 'access.quota-exceeded')
    await end(id)
    await expectTruth(people(), 'contract.revoked')
  })

  it('is told when its contract has not begun, and when it is over', async () => {
    const from = (ms: number): string => new Date(Date.now() + ms).toISOString().slice(0, 19) + 'Z'
    const terms = { validFrom: from(DAY_MS), validUntil: from(2 * DAY_MS) }
    const { id } = await steps.ask(terms)
    await steps.arrived(f.provider, id, 'requested')
    await steps.approve(id)
    await steps.arrived(f.client, id, 'not-yet-valid')
    await steps.arrived(f.provider, id, 'not-yet-valid')
    await expect
      .poll(async () => refusals(await explain(people())), { timeout: 10_000 })
      .toContain('contract.not-yet-valid')
    await expectTruth(people(), 'contract.not-yet-valid')
    await end(id)
  })
})

describe('what is wrong with a gateway', () => {
  it('is told with the rest: its clock, and a snapshot that has run out', async () => {
    f.clocks.client.offsetMs = 25 * HOUR_MS
    try {
      const explained = await explain({ target: at('narrow') })
      const told = await tried({ target: at('narrow') })
      expect(refusals(explained)).toContain(told.code)
      expect(explained.verdict).toBe('may-not')
    } finally {
      f.clocks.client.offsetMs = 0
    }
  })
})

describe('a gateway of the provider that takes less than the client’s', () => {
  it('is told of, as the call is', async () => {
    const { maxBodyBytes } = f.provider.config
    await f.provider.restart({ maxBodyBytes: 1000 })
    const long = { method: 'POST', target: at('echo'), bodySize: 1001 }
    const explained = await expectTruth(long, 'request.body-too-large')
    const [first] = explained.checks.filter(({ outcome }) => outcome === 'refuses')
    expect(first).toMatchObject({ side: 'provider', step: 'verify-body' })
    await f.provider.restart({ maxBodyBytes })
  })
})

describe('a question', () => {
  it('is in the logs of both gateways by client and service, and not by what may be about a person', async () => {
    logged.length = 0
    await explain({ target: at('narrow', '/persons/330322595?name=dara') })
    await explain({ target: '/persons/330322595?name=dara' })
    const lines = logged.filter((line) => line.includes('explained'))
    expect(lines).toHaveLength(3)
    expect(lines.filter((line) => line.includes(`"${REGISTRY}/narrow"`))).toHaveLength(2)
    expect(lines.filter((line) => !line.includes(BANK) || /330322595|dara/.test(line))).toEqual([])
  })

  const count = async (side: 'client' | 'provider'): Promise<number> =>
    (await f[side].admin.call<{ log: { entries: number } }>('GET', '/admin/status')).log.entries
  it('records no exchange, and calls no service', async () => {
    const before = [await count('client'), await count('provider'), f.register.calls.length]
    await explain({ target: at('narrow') })
    expect([await count('client'), await count('provider'), f.register.calls.length]).toEqual(
      before,
    )
  })
})
