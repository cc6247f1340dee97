/** Time-stamping authorities that lie, and a clock that was set back: an exact code, and nothing is lost. */
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { TimeStamping } from '../../pki/authority/time-stamping.ts'
import { createTspRequest, parseTspRequest } from '../../pki/tsp-request.ts'
import { HOUR_MS } from '../support/clock.ts'
import {
  startTimeStampingServer,
  type TimeStampingServer,
} from '../support/time-stamping-server.ts'
import { approvedOf, openStampedLog } from './log-stamper-support.ts'

let liar: TimeStampingServer
let honest: TimeStampingServer
beforeAll(async () => {
  liar = await startTimeStampingServer()
  honest = await startTimeStampingServer()
})
afterAll(async () => {
  await liar[Symbol.asyncDispose]()
  await honest[Symbol.asyncDispose]()
})

type Changed = Partial<{ digest: Buffer; nonce: Buffer }>

/** Signs properly, but about another question. */
function answering(change: (request: Uint8Array) => Changed): TimeStamping {
  const stamping = liar.tsa.open()
  return {
    answer: (request) => {
      const { imprint, nonce } = parseTspRequest(request)
      const asked = { digest: imprint.digest, ...(nonce ? { nonce } : {}), ...change(request) }
      return stamping.answer(createTspRequest({ hash: 'sha256', certReq: true, ...asked }))
    },
    [Symbol.dispose]: () => stamping[Symbol.dispose](),
  }
}
const saying = (bytes: Buffer): TimeStamping => ({
  answer: async () => bytes,
  [Symbol.dispose]: () => {},
})
/** The right answer with its last byte, of the signature, changed. */
function forging(): TimeStamping {
  const stamping = liar.tsa.open()
  return {
    answer: async (request) => {
      const answer = Buffer.from(await stamping.answer(request))
      answer[answer.length - 1]! ^= 1
      return answer
    },
    [Symbol.dispose]: () => stamping[Symbol.dispose](),
  }
}

describe.each<[string, string, () => TimeStamping]>([
  [
    'about another digest',
    'timestamp.invalid',
    () => answering(() => ({ digest: Buffer.alloc(32, 1) })),
  ],
  [
    'with another nonce',
    'timestamp.invalid',
    () => answering(() => ({ nonce: Buffer.alloc(8, 1) })),
  ],
  ['of garbage', 'timestamp.invalid', () => saying(Buffer.from('this is no token'))],
  ['of nothing', 'timestamp.invalid', () => saying(Buffer.alloc(0))],
  ['with a forged signature', 'timestamp.invalid', forging],
  ['longer than any answer', 'timestamp.unavailable', () => saying(Buffer.alloc(300_000))],
])('an answer %s', (_name, code, lie) => {
  it('is not kept, is told by its code, and the next authority is asked', async () => {
    liar.serve(lie())
    const only = [approvedOf('liar', liar)]
    await using stamped = await openStampedLog(only, { backOffMs: 10_000 })
    await stamped.append(2)
    await stamped.stamper.stampNow()
    expect(await stamped.stamps.last()).toBeUndefined()
    expect(stamped.stamper.health().fault).toMatchObject({ code })
    stamped.approved = [...only, approvedOf('honest', honest)]
    await stamped.stamper.stampNow()
    expect(await stamped.stamps.last()).toMatchObject({ size: 2, authority: 'honest' })
    const { authorities } = stamped.stamper.health()
    expect(authorities).toMatchObject([{ name: 'liar', fault: { code } }, { name: 'honest' }])
    expect(authorities[1]).not.toHaveProperty('fault')
  })
})

describe('a clock that is set back', () => {
  it('makes no waiting record younger: the limit is reached all the same', async () => {
    const limit = { limitMinutes: 0.005, refuseAtLimit: true }
    await using stamped = await openStampedLog([approvedOf('liar', liar)], limit)
    const { clock, stamper } = stamped
    liar.serve(undefined)
    await stamped.append(1)
    await stamper.stampNow()
    clock.offsetMs = -2 * HOUR_MS
    await delay(400)
    const refused = expect.objectContaining({ code: 'log.unstamped' }) as Error
    expect(() => stamper.verifyStamped()).toThrow(refused)
  })

  it('has no token kept, by its code, until it is right again; then everything is covered', async () => {
    await using stamped = await openStampedLog([approvedOf('honest', honest)])
    const { clock, stamper, stamps } = stamped
    await stamped.append(1)
    clock.offsetMs = -2 * HOUR_MS
    await stamped.append(1)
    await stamper.stampNow()
    expect(stamper.health().fault?.code).toBe('timestamp.invalid')
    expect(await stamps.last()).toBeUndefined()
    clock.offsetMs = 0
    await expect.poll(async () => (await stamps.last())?.size, { timeout: 5000 }).toBe(2)
  })
})
