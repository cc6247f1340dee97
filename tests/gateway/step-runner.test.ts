import { describe, expect, it } from 'vitest'
import { createStepRunner } from '../../gateway/step-runner.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import { ID, silent } from './support.ts'

const runner = (logger: Logger = silent) => createStepRunner({ exchangeId: ID }, logger)

describe('the step runner', () => {
  it('gives what a step returns, at once or later', async () => {
    const step = runner()
    expect(await step('now', () => 1)).toBe(1)
    expect(await step('later', async () => 2)).toBe(2)
  })

  it('knows the exchange as it came in, and then what the last step returned', async () => {
    const step = runner()
    expect(step.known).toEqual({ exchangeId: ID })
    await step('first', () => ({ exchangeId: ID, a: 1 }))
    await step('refused', () => Promise.reject(new ExchangeError('internal', ''))).catch(() => {})
    await step('nothing', () => undefined)
    await step('number', () => 7)
    await step('null', () => null)
    expect(step.known).toEqual({ exchangeId: ID, a: 1 })
  })

  it.each([
    ['thrown', () => throwing(refusal())],
    ['rejected', () => Promise.reject(refusal())],
  ])('names the step in a refusal that is %s', async (_name, run) => {
    const error: unknown = await runner()('authorise', run).catch((e: unknown) => e)
    expect(error).toMatchObject({ code: 'access.denied', step: 'authorise' })
  })

  it('leaves the name of the step that refused first', async () => {
    const step = runner()
    const outer = step('outer', () => step('inner', () => throwing(refusal())))
    await expect(outer).rejects.toMatchObject({ step: 'inner' })
  })

  it('logs what is no refusal, and throws it on unaltered', async () => {
    const lines: unknown[] = []
    const logger = { error: (line: unknown) => lines.push(line) } as unknown as Logger
    const bug = new TypeError('a bug')
    await expect(runner(logger)('call-service', () => throwing(bug))).rejects.toBe(bug)
    await runner(logger)('authorise', () => throwing(refusal())).catch(() => {})
    expect(lines).toMatchObject([{ id: ID, step: 'call-service', err: bug }])
  })
})

const refusal = (): ExchangeError => new ExchangeError('access.denied', 'no')
function throwing(error: unknown): never {
  throw error
}
