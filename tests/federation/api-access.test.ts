/** Every operation that the descriptions in docs/api have, on the programs that run, with every credential. */
import { Agent, fetch } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { followObject } from '../../openapi/document.ts'
import type { Role } from '../../runtime/roles.ts'
import { DAY_MS, HOUR_MS } from '../support/clock.ts'
import {
  committedDescription,
  createAnswerCheck,
  operationsOf,
  type Description,
  type Operation,
} from '../support/described-api.ts'
import { INSTANCE, startFederation, type Federation } from '../support/federation.ts'
import { sampleOf } from '../support/schema-samples.ts'
import { OTHERS, PUBLIC } from './api-roles.ts'

const PROGRAMS = ['catalogue', 'gateway', 'authority'] as const
type Program = (typeof PROGRAMS)[number]

const descriptions = {
  catalogue: committedDescription('catalogue'),
  gateway: committedDescription('gateway'),
  authority: committedDescription('authority'),
}
const checks = {
  catalogue: createAnswerCheck(descriptions.catalogue),
  gateway: createAnswerCheck(descriptions.gateway),
  authority: createAnswerCheck(descriptions.authority),
}
const table = PROGRAMS.flatMap((program) =>
  operationsOf(descriptions[program]).map((operation) => ({
    ...{ program, operation },
    name: `${operation.method} ${operation.path}`,
  })),
)
const closed = table.filter(({ operation }) => operation.role !== 'public')

let f: Federation
let agent: Agent
/** Of each program: who may call, each by a credential of their own. */
const tokens: Record<Program, Partial<Record<Role, string>>> = {
  ...{ catalogue: {}, gateway: {}, authority: {} },
}
const ended: Record<Program, string[]> = { catalogue: [], gateway: [], authority: [] }
/** With a right scope, of another member. */
const elsewhere: Partial<Record<Role, string>> = {}

beforeAll(async () => {
  f = await startFederation()
  agent = new Agent({ connect: { ca: f.ca } })
  tokens.authority.admin = f.authority.adminToken
  tokens.gateway.admin = f.provider.running.adminToken
  const addAuditor = async (name: string, more: object = {}): Promise<string> => {
    const body = { name, all: true, ...more }
    return (await f.provider.admin.call<{ token: string }>('POST', '/admin/auditors', body)).token
  }
  tokens.gateway.auditor = await addAuditor('auditor')
  ended.gateway.push(await addAuditor('revoked'))
  await f.provider.admin.call('DELETE', '/admin/auditors/revoked')
  f.clocks.provider.offsetMs = -2 * HOUR_MS
  const expiresAt = new Date(Date.now() - HOUR_MS).toISOString()
  ended.gateway.push(await addAuditor('expired', { expiresAt }))
  f.clocks.provider.offsetMs = 0

  const makeKey = async (role: Role, more: object = {}): Promise<{ id: string; key: string }> =>
    f.catalogueAdmin.call('POST', '/admin/keys', { name: role, role, person: role, ...more })
  const scoped = { 'member-admin': 'GOV/REG', 'service-owner': 'GOV/REG/POP' } as const
  for (const role of ['admin', 'auditor'] as const) {
    tokens.catalogue[role] = (await makeKey(role)).key
  }
  for (const role of ['member-admin', 'service-owner'] as const) {
    const scope = [`${INSTANCE}/${scoped[role]}`]
    tokens.catalogue[role] = (await makeKey(role, { scope })).key
    const other = [`${INSTANCE}/COM/BANK${role === 'member-admin' ? '' : '/KYC'}`]
    elsewhere[role] = (await makeKey(role, { scope: other })).key
  }
  const { id, key } = await makeKey('admin')
  await f.catalogueAdmin.call('DELETE', `/admin/keys/${id}`)
  f.clocks.catalogue.offsetMs = -2 * DAY_MS
  ended.catalogue.push(key, (await makeKey('admin', { days: 1 })).key)
  f.clocks.catalogue.offsetMs = 0
})
afterAll(async () => {
  await agent.close()
  await f[Symbol.asyncDispose]()
})

const urls: Record<Program, () => string> = {
  catalogue: () => f.catalogue.url,
  gateway: () => `https://127.0.0.1:${f.provider.running.ports.admin}`,
  authority: () => f.authority.adminUrl,
}
/** Roles below the administrator's that a program knows. */
const LOWER: Record<Program, readonly Role[]> = {
  catalogue: ['service-owner', 'member-admin', 'auditor'],
  gateway: ['auditor'],
  authority: [],
}
/** What is there: a refusal is not one because there is nothing. */
const PARTS: Readonly<Record<string, string>> = {
  ...{ class: 'GOV', member: 'REG', subsystem: 'POP', service: 'echo', gateway: 'REG-1' },
}
const pathOf = ({ path }: Operation): string =>
  path.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => PARTS[name] ?? 'x')

interface Asked {
  readonly authorization?: string | undefined
  readonly body?: unknown
}
interface Answered {
  readonly status: number
  readonly code: string | undefined
  readonly challenge: string | null
}
/** Asks, and holds the answer against the description. */
async function ask(program: Program, operation: Operation, asked: Asked = {}): Promise<Answered> {
  const { authorization, body } = asked
  const path = pathOf(operation)
  const answer = await fetch(urls[program]() + path, {
    method: operation.method,
    dispatcher: agent,
    headers: {
      ...(authorization === undefined ? {} : { authorization }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  const [mediaType = ''] = (answer.headers.get('content-type') ?? '').split(';')
  const isJson = /^application\/([a-z]+\+)?json$/.test(mediaType)
  const given = text === '' ? undefined : isJson ? (JSON.parse(text) as unknown) : text
  const { status } = answer
  expect(checks[program](operation.method, path, { status, mediaType, body: given })).toBe(
    undefined,
  )
  const { code } = (isJson ? given : {}) as { code?: string }
  return { status, code, challenge: answer.headers.get('www-authenticate') }
}
const outcome = ({ status, code }: Answered): unknown[] => [status, code]
const bearer = (token: string | undefined): string => `Bearer ${token}`
const isPermitted = ({ security }: Operation, role: Role): boolean =>
  security.some((one) => Object.values(one).some((roles) => roles.includes(role)))

/** What a refused call must leave as it is: all that can be listed, and what is published. */
async function stateOf(): Promise<unknown[]> {
  const lists = closed.filter(
    ({ operation }) =>
      operation.method === 'GET' &&
      !/\{|anchor|status|metrics|audit|journal|log|\/whoami|retention|keys$/.test(operation.path),
  )
  const read = lists.map(async ({ program, name, operation }) => {
    const answer = await fetch(urls[program]() + operation.path, {
      dispatcher: agent,
      headers: { authorization: bearer(tokens[program].admin) },
    })
    return [program, name, await answer.json()]
  })
  return [f.catalogue.snapshotNumber(), ...(await Promise.all(read))]
}
let before: unknown[]

describe('the descriptions', () => {
  it.each(PROGRAMS)('of the %s is the one that is served, to everybody', async (program) => {
    const answer = await fetch(`${urls[program]()}/openapi.json`, { dispatcher: agent })
    expect(answer.status).toBe(200)
    expect(await answer.json()).toEqual(descriptions[program])
  })

  it.each(PROGRAMS)('of the %s is all that it serves', async (program) => {
    const answer = await fetch(`${urls[program]()}/admin/nothing`, { dispatcher: agent })
    expect(answer.status).toBe(404)
    expect(await answer.text()).not.toMatch(/\.ts|Cannot GET/)
  })

  it('open nothing, and let nobody but administrators change anything, unless it is written', () => {
    const named = (role: string): string[] =>
      table
        .filter(({ operation }) => operation.role === role)
        .map(({ program, name }) => `${program} ${name}`)
    expect(new Set(named('public'))).toEqual(PUBLIC)
    for (const [role, operations] of Object.entries(OTHERS)) {
      expect(new Set(named(role))).toEqual(new Set(operations))
    }
    expect(named('reader').filter((name) => !name.startsWith('catalogue GET '))).toEqual([])
    const known = ['public', 'reader', 'admin', ...Object.keys(OTHERS)]
    expect(table.filter(({ operation }) => !known.includes(operation.role))).toEqual([])
  })

  it('name as permitted whom the role of an operation is for', () => {
    for (const { operation } of closed) {
      expect([operation.path, isPermitted(operation, 'admin')]).toEqual([operation.path, true])
    }
  })
})

describe('an operation', () => {
  beforeAll(async () => {
    before = await stateOf()
  })

  it.each(closed)('of the $program, $name, is for nobody without a credential', async (row) => {
    const { program, operation } = row
    const given = [undefined, 'Basic YTpi', 'Bearer', 'Bearer wrong', ...ended[program].map(bearer)]
    for (const authorization of given) {
      const answer = await ask(program, operation, { authorization })
      expect(outcome(answer)).toEqual([401, 'admin.unauthenticated'])
      expect(answer.challenge).toBe('Bearer')
    }
  })

  it.each(table.filter(({ operation }) => operation.role === 'public'))(
    'of the $program, $name, asks nobody who they are by a token',
    async ({ program, operation }) => {
      expect((await ask(program, operation)).code).not.toBe('admin.unauthenticated')
    },
  )

  const lower = closed.flatMap((row) =>
    LOWER[row.program]
      .filter((role) => !isPermitted(row.operation, role))
      .map((role) => ({ ...row, role })),
  )
  it.each(lower)('of the $program, $name, is not for a $role', async (row) => {
    const { program, operation, role } = row
    const authorization = bearer(tokens[program][role])
    const answer = await ask(program, operation, { authorization, body: bodyOf(row) })
    expect(outcome(answer)).toEqual([403, 'admin.not-permitted'])
  })

  const owned = closed.filter(
    ({ operation: { path, role } }) =>
      path.includes('{member}') && (role === 'member-admin' || role === 'service-owner'),
  )
  it.each(owned)('of the $program, $name, is not for those of another member', async (row) => {
    const { program, operation } = row
    for (const role of ['member-admin', 'service-owner'] as const) {
      const authorization = bearer(elsewhere[role])
      const answer = await ask(program, operation, { authorization, body: bodyOf(row) })
      expect([role, ...outcome(answer)]).toEqual([role, 403, 'admin.not-permitted'])
    }
  })

  it('that was refused has changed nothing', async () => {
    expect(await stateOf()).toEqual(before)
  })

  it.each(closed.filter(({ operation }) => operation.body !== undefined))(
    'of the $program, $name, takes only bodies that its description allows',
    async ({ program, operation }) => {
      const { mutations, value } = sampleOf(descriptions[program], operation.body!, 'request')
      const wrong = [[], 'x', 7, null, { ...(value as object), 'not-one': 1 }]
      const bodies = [...wrong, ...mutations.map((mutation) => mutation.value)]
      for (const body of operation.isBodyRequired ? [undefined, ...bodies] : bodies) {
        const authorization = bearer(tokens[program].admin)
        const answer = await ask(program, operation, { authorization, body })
        expect([body, ...outcome(answer)]).toEqual([body, 422, 'admin.invalid'])
      }
    },
  )

  it.each(closed.filter(({ operation }) => operation.body !== undefined))(
    'of the $program, $name, can do with null where its description allows it',
    async (row) => {
      const { program, operation } = row
      const nulls = nullableOf(descriptions[program], operation.body!)
      const body = { ...(bodyOf(row) as object), ...nulls }
      const authorization = bearer(tokens[program].admin)
      const answer = await ask(program, operation, { authorization, body })
      expect(answer.status).toBeLessThan(500)
    },
  )

  const permitted = closed.flatMap((row) =>
    (['service-owner', 'member-admin', 'auditor', 'admin'] as const)
      .filter((role) => isPermitted(row.operation, role))
      .map((role) => ({ ...row, role })),
  )
  it.each(permitted)('of the $program, $name, is for a $role', async (row) => {
    const { program, operation, role } = row
    const authorization = bearer(tokens[program][role])
    const answer = await ask(program, operation, { authorization, body: bodyOf(row) })
    expect(answer.status).toBeLessThan(500)
    expect(answer.status).not.toBe(401)
    // A few ask for more than the role once they know what is wanted: their own tests have which.
    const mayAsk = ['admin.approval-needed', 'admin.own-request', undefined]
    if (answer.status === 403) expect(mayAsk).toContain(answer.code)
  })
})

function nullableOf(description: Description, pointer: string): object {
  const { value } = followObject(description, pointer)
  const members = Object.entries((value.properties ?? {}) as Record<string, { type?: unknown }>)
  const nullable = members.filter(([, { type }]) => Array.isArray(type) && type.includes('null'))
  return Object.fromEntries(nullable.map(([name]) => [name, null]))
}

function bodyOf({ program, operation }: { program: Program; operation: Operation }): unknown {
  if (operation.body === undefined) return undefined
  return sampleOf(descriptions[program], operation.body, 'request').value
}
