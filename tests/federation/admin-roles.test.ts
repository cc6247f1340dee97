import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Agent, fetch } from 'undici'
import { startFederation, type Federation } from '../support/federation.ts'

let f: Federation
let agent: Agent
let auditor: string
beforeAll(async () => {
  f = await startFederation()
  agent = new Agent({ connect: { ca: f.ca } })
  const body = { name: 'Sok Dara', all: true }
  auditor = (await f.provider.admin.call<{ token: string }>('POST', '/admin/auditors', body)).token
})
afterAll(async () => {
  await agent.close()
  await f[Symbol.asyncDispose]()
})

async function ask(method: string, path: string, token?: string): Promise<unknown[]> {
  const url = `https://127.0.0.1:${f.provider.running.ports.admin}${path.replaceAll(/[:*]\w+/g, 'X')}`
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const answer = await fetch(url, { method, headers, dispatcher: agent })
  return [answer.status, ((await answer.json()) as { code?: string }).code]
}

describe('the administration of a gateway', () => {
  it('refuses every route to strangers, and to auditors all that is not theirs', async () => {
    const { routes } = f.provider.running
    const closed = routes.filter(({ access }) => access !== 'public')
    expect(closed.length).toBeGreaterThan(20)
    for (const { method, path, access } of closed) {
      const name = `${method} ${path}`
      const strange = [401, 'admin.unauthenticated']
      expect([name, ...(await ask(method, path))]).toEqual([name, ...strange])
      expect([name, ...(await ask(method, path, 'wrong'))]).toEqual([name, ...strange])
      if (access === 'auditor') continue
      const answer = await ask(method, path, auditor)
      expect([name, ...answer]).toEqual([name, 403, 'admin.not-permitted'])
    }
  })
})
