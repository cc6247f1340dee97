import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { append, appendRun, minute } from '../contract/exchange-log-entries.ts'
import {
  createAnswerCheck,
  type Description as WholeDescription,
} from '../support/described-api.ts'
import { startAuditedLog, type AuditedLog, type Reply } from './auditing-support.ts'

interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query'
  readonly required?: boolean
  readonly schema: {
    readonly type: string
    readonly format?: string
    readonly enum?: string[]
    readonly minimum?: number
    readonly maximum?: number
    readonly maxLength?: number
  }
}
interface Operation {
  readonly operationId: string
  readonly parameters: readonly Parameter[]
}
interface Description {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
}

let log: AuditedLog
let description: Description
let faultOf: ReturnType<typeof createAnswerCheck>
beforeAll(async () => {
  log = await startAuditedLog()
  const { records } = log.stores
  const all = { userId: 'u', issue: 'i', purpose: 'p', messageId: 'm', method: 'GET', target: '/' }
  const position = await appendRun(records, 'a', 'ok', { ...all, peer: 'KH/GOV/REG/REG-1' })
  await appendRun(records, 'b', 'access.denied', { representedParty: 'COM/X', bodyBytes: 7 })
  await append(records, {
    exchangeId: 'a',
    kind: 'erasure',
    at: minute(1),
    actor: 'x',
    detail: 'y',
  })
  expect(position).toBe(1)
  await log.integrate()
  // Without a token: what is asked is described for everybody.
  const answer = await log.ask('GET', '/openapi.json', { token: null })
  expect(answer.status).toBe(200)
  description = answer.json as unknown as Description
  faultOf = createAnswerCheck(answer.json as unknown as WholeDescription)
})
afterAll(() => log[Symbol.asyncDispose]())

const operations = (): [path: string, operation: Operation][] =>
  Object.entries(description.paths)
    .filter(([path]) => path.startsWith('/audit/'))
    .map(([path, { get }]) => [path, get!])
const valueFor = ({ schema, name }: Parameter): string => {
  if (schema.format === 'date-time') return '2026-01-01T08:00:00Z'
  if (schema.enum) return schema.enum[0]!
  if (schema.type === 'integer') return String(schema.minimum)
  return name === 'exchangeId' ? 'a' : 'x'
}
/** The request with required parameters, and those of `more`. */
const target = (path: string, { parameters }: Operation, more: Record<string, string> = {}) => {
  const required = parameters.filter((p) => p.in === 'query' && p.required)
  const query = new URLSearchParams(required.map((p): [string, string] => [p.name, valueFor(p)]))
  for (const [name, value] of Object.entries(more)) query.set(name, value)
  return `${path.replace('{exchangeId}', 'a')}?${query.toString()}`.replace(/\?$/, '')
}
const holds = (url: string, { status, headers, json }: Reply): void => {
  const mediaType = String(headers['content-type']).split(';')[0]!
  expect([url, faultOf('GET', url, { status, mediaType, body: json })]).toEqual([url, undefined])
}

describe('the description of the API', () => {
  it('has every route for auditors, and none that is not there', () => {
    expect(description.openapi).toBe('3.1.0')
    const served = log.routes.filter(({ access }) => access === 'auditor')
    expect(served.length).toBeGreaterThan(3)
    expect(operations().map(([path]) => path)).toEqual(
      served.map(({ path }) => path.replace(':exchangeId', '{exchangeId}')),
    )
  })

  it('has every parameter that is taken, and only those', async () => {
    for (const [path, operation] of operations()) {
      const inQuery = operation.parameters.filter((p) => p.in === 'query')
      for (const parameter of inQuery) {
        const { status } = await log.ask(
          'GET',
          target(path, operation, { [parameter.name]: valueFor(parameter) }),
        )
        expect([path, parameter.name, status]).toEqual([path, parameter.name, 200])
      }
      const { json } = await log.ask('GET', target(path, operation, { 'not-one': 'x' }))
      expect([path, json.code]).toEqual([path, 'admin.invalid'])
      const named = String(json.detail)
        .split('there are ')[1]
        ?.split(', ')
        .filter((name) => name !== 'none')
      expect(named).toEqual(inQuery.map(({ name }) => name))
    }
  })

  it('has the limits of every parameter: what is beyond is refused, and described so', async () => {
    for (const [path, operation] of operations()) {
      for (const { name, schema, in: place } of operation.parameters) {
        const { maximum, maxLength } = schema
        const beyond = [
          ...(schema.enum ? ['none-of-them'] : []),
          ...(maximum === undefined || maximum > 1e6 ? [] : [String(maximum + 1)]),
          ...(maxLength === undefined ? [] : ['x'.repeat(maxLength + 1)]),
          ...(schema.format === 'date-time' ? ['2026-01-01'] : []),
          ...(schema.minimum === undefined ? [] : [String(schema.minimum - 1)]),
        ]
        expect(beyond.length).toBeGreaterThan(0)
        for (const value of beyond) {
          const inPath = path.replace('{exchangeId}', value)
          const url = place === 'path' ? inPath : target(path, operation, { [name]: value })
          const refused = await log.ask('GET', url)
          expect([path, name, value, refused.status]).toEqual([path, name, value, 422])
          holds(url, refused)
        }
      }
    }
  })

  it('has every answer as it is', async () => {
    for (const [path, operation] of operations()) {
      const url = target(path, operation)
      const given = await log.ask('GET', url)
      expect([path, given.status]).toEqual([path, 200])
      holds(url, given)
      const refused = await log.ask('GET', url, { token: 'x' })
      expect([path, refused.status]).toEqual([path, 401])
      holds(url, refused)
    }
    for (const id of ['a', 'b', 'zz']) {
      holds(`/audit/exchanges/${id}`, await log.ask('GET', `/audit/exchanges/${id}`))
    }
  })

  it('has every line of an export as it is', async () => {
    const fault = (exchange: unknown) => {
      const page = { exchanges: [exchange], recorded }
      const given = { status: 200, mediaType: 'application/json', body: page }
      return faultOf('GET', '/audit/exchanges', given)
    }
    const recorded = { exchangeId: 'x', position: 1 }
    const { body } = await log.ask('GET', '/audit/export')
    const exchanges = body.toString().trimEnd().split('\n')
    expect(exchanges).toHaveLength(2)
    for (const line of exchanges) {
      expect([line, fault(JSON.parse(line))]).toEqual([line, undefined])
    }
    const changed = { ...(JSON.parse(exchanges[0]!) as object), more: 1 }
    expect(fault(changed)).toContain('additional properties')
  })
})
