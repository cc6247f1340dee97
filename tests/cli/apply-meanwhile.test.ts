/** Changes of others between a plan and its execution, against a catalogue of their own. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { carryOut } from '../../cli/apply/execute.ts'
import { ApplyError } from '../../cli/apply/faults.ts'
import { makePlan, type Plan } from '../../cli/apply/plan.ts'
import type { Target } from '../../cli/apply/step.ts'
import { services } from '../../cli/apply/services-section.ts'
import { readWanted } from '../../cli/apply/wanted.ts'
import { createApiClient, type ApiClient } from '../../runtime/api-client.ts'
import { startApply, type ApplyRun } from './apply-support.ts'

let run: ApplyRun
let api: ApiClient
const ours = new Set<number>()
let credentials: Parameters<typeof createApiClient>[0]
beforeAll(async () => {
  run = await startApply()
  const { catalogue, authority } = run.running
  const ca = authority.root.certificate.pem
  credentials = { url: catalogue.url, token: catalogue.adminToken, ca }
})
afterEach(() => api[Symbol.asyncDispose]())
afterAll(() => run[Symbol.asyncDispose]())
beforeEach(async () => {
  ours.clear()
  const onChange = (position: number): void => void ours.add(position)
  api = createApiClient({ ...credentials, onChange })
  for (const code of ['a', 'b', 'c']) {
    await api.call('PUT', `/admin/groups/${code}`, { title: code, members: [] })
  }
})

const FILE =
  'version: 1\ninstance: KH-DEV\ngroups:\n  a: { title: A }\n  b: { title: B }\n  c: { title: C }\n'

async function plan(by: ApiClient = api, text = FILE): Promise<Plan> {
  const file = run.write('wanted.yaml', text)
  const { catalogue, documents } = await readWanted([file], {
    instance: 'KH-DEV',
    gatewayNames: [],
  })
  const caller = { role: 'admin' }
  const sections = catalogue
  const target: Target = { label: 'catalogue', isCatalogue: true, ours, api: by, caller, sections }
  return await makePlan([target], { prune: false, documents })
}
const titles = async (): Promise<string[]> =>
  (await api.call<{ groups: { title: string }[] }>('GET', '/admin/groups')).groups.map(
    ({ title }) => title,
  )
async function execute({ steps }: Plan, tell: (line: string) => unknown): Promise<string> {
  const told: Promise<unknown>[] = []
  const execution = {
    documents: new Map<string, object>(),
    reason: 'test',
    tell: (line: string) => void told.push(Promise.resolve(tell(line))),
  }
  const error = await carryOut(steps, execution).catch((thrown: unknown) => thrown)
  await Promise.all(told)
  if (error !== undefined && !(error instanceof ApplyError)) throw error
  return error?.message ?? ''
}

it('leaves alone what somebody else has changed since the plan, says what, and does the rest', async () => {
  const made = await plan()
  await api.call('PUT', '/admin/groups/b', { title: 'of another', members: [] })
  const message = await execute(made, () => {})
  expect(message).toContain('group b: somebody else has changed it since the plan was made')
  expect(message).toContain('title: "b" → "of another"')
  expect(await titles()).toEqual(['A', 'of another', 'C'])
  // Seen again, it is for the file to say
  expect(await execute(await plan(), () => {})).toBe('')
  expect(await titles()).toEqual(['A', 'B', 'C'])
})

it('notices what somebody else changes while it runs', async () => {
  const call = async <T>(...asked: Parameters<ApiClient['call']>): Promise<T> => {
    const answer = await api.call<T>(...asked)
    if (asked[0] === 'PUT' && asked[1].endsWith('/a')) {
      await run.running.call('PUT', '/admin/groups/c', { body: { title: 'late', members: [] } })
    }
    return answer
  }
  const message = await execute(await plan({ ...api, call }), () => {})
  expect(message).toContain('group c: somebody else has changed it since the plan was made')
  expect(await titles()).toEqual(['A', 'B', 'late'])
})

it('looks once for some services at a time, and reads them once while nobody else changes any', async () => {
  await api.call('PUT', '/admin/members/GOV/MOI', { name: 'Interior' })
  await api.call('PUT', '/admin/subsystems/GOV/MOI/MANY', { name: 'Many' })
  const asked: string[] = []
  const call = <T>(...one: Parameters<ApiClient['call']>): Promise<T> => {
    asked.push(one.slice(0, 2).join(' ').replace(/\?.*/, ''))
    return api.call<T>(...one)
  }
  const codes = Array.from({ length: 20 }, (_, i) => `  GOV/MOI/MANY/s${i}: { title: T }\n`)
  const text = `version: 1\ninstance: KH-DEV\nservices:\n${codes.join('')}`
  const made = await plan({ ...api, call }, text)
  asked.length = 0
  const lines: string[] = []
  expect(await execute(made, (line) => lines.push(line))).toBe('')
  expect(lines.at(-1)).toBe('20/20 created service KH-DEV/GOV/MOI/MANY/s19')
  const count = (what: string): number => asked.filter((one) => one.startsWith(what)).length
  expect([count('PUT '), count('GET /admin/status'), count('GET /admin/service-contents')]).toEqual(
    [...[20, 3, 1]],
  )
})

it('notices what is gone, and what is as wanted already', async () => {
  const made = await plan()
  await api.call('DELETE', '/admin/groups/a')
  await api.call('PUT', '/admin/groups/c', { title: 'C', members: [] })
  const lines: string[] = []
  expect(await execute(made, (line) => lines.push(line))).toContain('group a: somebody else')
  expect(lines.at(-1)).toBe('3/3 changed group c')
  expect(await titles()).toEqual(['B', 'C'])
})

it('reads thousands of services by pages', async () => {
  const subsystem = 'KH-DEV/GOV/MOI/POP'
  await api.call('PUT', '/admin/members/GOV/MOI', { name: 'Interior' })
  await api.call('PUT', '/admin/subsystems/GOV/MOI/POP', { name: 'Population' })
  using db = new DatabaseSync(join(run.running.config.stateDir, 'catalogue.db'))
  const insert = db.prepare(
    `INSERT INTO service (id, subsystem, code, title, type, endpoints) VALUES (?, ?, ?, 'T', 'REST', '[]')`,
  )
  db.exec('BEGIN')
  for (let i = 0; i < 2000; i++) insert.run(`${subsystem}/s${i}`, subsystem, `s${i}`)
  db.exec('COMMIT')
  const found = await services.read(api)
  const keys = [...found.keys()].filter((key) => key.startsWith(`${subsystem}/`))
  expect(keys).toHaveLength(2000)
  expect(found.get(`${subsystem}/s1999`)).toMatchObject({ title: 'T', state: 'published' })
})

it('ends when the catalogue cannot be reached any more, with what was done and what was not', async () => {
  const made = await plan()
  const message = await execute(made, () => api[Symbol.asyncDispose]())
  api = createApiClient(credentials)
  expect(message).toMatch(/^1 of the changes were made, others were not; apply again to go on/)
  expect(message).toMatch(/failed:\n {2}group b: https:\S+ cannot be reached/)
  expect(message).toMatch(/not done:\n {2}group c$/)
})
