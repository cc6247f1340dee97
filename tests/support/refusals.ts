import { expect } from 'vitest'
import type { ErrorCode } from '../../protocol/errors.ts'
import { faultCode } from '../../protocol/problem.ts'
import { errorEntry } from '../../protocol/errors.ts'
import type { Federation, TestGateway } from './federation.ts'
import type { Answer } from './http.ts'

/** One way to be refused, and all that must follow from it. */
export interface Refusal {
  readonly name: string
  readonly send: (f: Federation) => Promise<Answer>
  readonly code: ErrorCode
  /** Which side refuses: its log has it. The service speaks through the provider's gateway. */
  readonly by: 'client' | 'provider' | 'service'
  /** How often the service may be called: not at all unless this says so. */
  readonly calls?: number
}

const ORIGIN = {
  client: 'client-gateway',
  provider: 'provider-gateway',
  service: 'service',
} as const

/** Sends, and checks code, status, form, both logs, and that the service was not called. */
export async function expectRefusal(f: Federation, refusal: Refusal): Promise<void> {
  const { send, code, by, calls = 0 } = refusal
  const before = f.register.calls.length
  const answer = await send(f)
  const text = answer.body.toString('utf8')
  const fault = (text === '' ? {} : JSON.parse(text)) as Record<string, string>
  expect.soft(fault.message, text).toContain(`(${code})`)
  expect(answer.status).toBe(errorEntry(code).status)
  expect(Object.keys(fault)).toEqual(['type', 'message', 'detail'])
  expect(fault.type).toBe(faultCode(code, ORIGIN[by]))
  expect(answer.headers['x-road-error']).toBe(fault.type)
  expect(text).not.toMatch(/\bat .*\.ts|node_modules|\/tmp\//)
  const id = String(fault.detail)
  expect(await recorded(f.client, id)).toMatchObject({
    outcome: 'refused',
    code,
    origin: ORIGIN[by],
  })
  if (by !== 'client') {
    expect(await recorded(f.provider, id)).toMatchObject({ outcome: 'refused', code })
  }
  expect(f.register.calls.length - before).toBe(calls)
}

/** What a gateway's log says of an exchange, by its id, or by the id that a stranger claimed. */
async function recorded(gateway: TestGateway, id: string): Promise<unknown> {
  const path = `/admin/log?id=${encodeURIComponent(id)}`
  const { exchanges } = await gateway.admin.call<{ exchanges: unknown[] }>('GET', path)
  return exchanges[0]
}
