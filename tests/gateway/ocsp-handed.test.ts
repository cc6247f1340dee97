import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { OcspQuestion } from '../../gateway/trust/known-state.ts'
import { openOcspCache, type OcspCache } from '../../gateway/trust/ocsp-cache.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { createLogger } from '../../runtime/logger.ts'
import { temporaryFolder } from '../pki/support.ts'
import { HOUR_MS, MINUTE_MS, shiftedClock, type ShiftedClock } from '../support/clock.ts'
import { startResponder, type Responder } from './ocsp-responder.ts'

let responder: Responder
let clock: ShiftedClock
let certificate: Certificate
const logger = createLogger('test', 'silent')
beforeEach(async () => {
  responder = await startResponder()
  clock = shiftedClock()
  certificate = await responder.issue()
  return () => responder[Symbol.asyncDispose]()
})

const question = (nonce: OcspQuestion['nonce'] = 'required', of = certificate): OcspQuestion => ({
  certificate: of,
  issuer: responder.issuing,
  nonce,
})
const open = (changes: { outageMinutes?: number } = {}): OcspCache =>
  openOcspCache({
    gateway: 'KH-TEST/GOV/REG/REG-1',
    dir: temporaryFolder(),
    refreshSeconds: 300,
    outageMinutes: 240,
    clock: clock.now,
    logger,
    ...changes,
  })
const setClocks = (offsetMs: number): void => {
  clock.offsetMs = responder.clock.offsetMs = offsetMs
}
/** What the owner of the certificate has from the responder now. */
async function answerNow(of = certificate): Promise<Buffer> {
  await using owner = open()
  await owner.check(question('required', of), clock.now()).catch(() => undefined)
  return owner.answer(of.thumbprint)!.der
}
const refused = { code: 'certificate.status-unknown' }
const revoked = { code: 'certificate.revoked' }
const thrown = (fault: object): Error => expect.objectContaining(fault) as Error

describe('an answer that the owner of a certificate hands over', () => {
  it('saves the question to the responder, for as long as it is fresh', async () => {
    const der = await answerNow()
    responder.asked.length = 0
    await using cache = open()
    cache.take(der, question(), 'owner')
    await cache.check(question(), clock.now())
    expect(responder.asked).toEqual([])
    expect(cache.health()).toMatchObject([{ status: 'good', source: 'owner' }])
    setClocks(301_000)
    await cache.check(question(), clock.now())
    expect(responder.asked).toEqual([certificate.serial])
  })

  it('does not hide a revocation, however often it is handed over', async () => {
    const der = await answerNow()
    responder.revoke(certificate)
    await using cache = open()
    cache.take(der, question(), 'owner')
    await cache.check(question(), clock.now()) // fresh: that is the price of asking nobody
    setClocks(301_000)
    cache.take(der, question(), 'stapled')
    await expect(cache.check(question(), clock.now())).rejects.toMatchObject(revoked)
    cache.take(der, question(), 'owner')
    await expect(cache.check(question(), clock.now())).rejects.toMatchObject(revoked)
    expect(cache.health()).toMatchObject([{ status: 'revoked', source: 'responder' }])
  })

  it('is taken when it says revoked, and no later good one after it', async () => {
    const good = await answerNow()
    setClocks(MINUTE_MS)
    const later = await answerNow()
    responder.revoke(certificate)
    await using cache = open()
    cache.take(later, question(), 'owner')
    const bad = await answerNow()
    cache.take(bad, question(), 'owner')
    for (const der of [good, later]) cache.take(der, question(), 'owner')
    await expect(cache.check(question(), clock.now())).rejects.toMatchObject(revoked)
    expect(cache.revocation(certificate.thumbprint)).toMatchObject({ reason: 'keyCompromise' })
    expect(responder.asked.filter((serial) => serial === certificate.serial)).toHaveLength(3)
  })

  it('is passed over when it is older than the one at hand', async () => {
    const old = await answerNow()
    setClocks(MINUTE_MS)
    const young = await answerNow()
    await using cache = open()
    cache.take(young, question(), 'owner')
    const [before] = cache.health()
    cache.take(old, question(), 'owner')
    expect(cache.health()[0]?.heardAt).toEqual(before?.heardAt)
  })

  it('is refused when it is about another certificate, altered, garbage, or over', async () => {
    const der = await answerNow()
    const other = await responder.issue()
    await using cache = open()
    const altered = Buffer.from(der)
    altered[der.length - 3]! ^= 1
    for (const bad of [altered, Buffer.from('garbage'), Buffer.alloc(0), der.subarray(0, -1)]) {
      expect(() => cache.take(bad, question(), 'owner')).toThrow(thrown(refused))
    }
    expect(() => cache.take(der, question('required', other), 'owner')).toThrow(thrown(refused))
    clock.offsetMs = 5 * HOUR_MS
    expect(() => cache.take(der, question(), 'owner')).toThrow(thrown(refused))
    expect(cache.health().map(({ status }) => status)).toEqual(['unknown', 'unknown'])
  })

  it('is asked for by nobody’s exchange, so it is not kept fresh at the responder’s cost', async () => {
    const der = await answerNow()
    responder.asked.length = 0
    await using cache = open()
    cache.take(der, question(), 'owner')
    setClocks(400_000)
    await new Promise((done) => setTimeout(done, 2500))
    expect(responder.asked).toEqual([])
  })
})

describe('our own certificates', () => {
  it('are asked for at half the time, and handed on only while the answer holds', async () => {
    await using cache = open()
    cache.follow([question()])
    await vi.waitFor(() => expect(cache.answer(certificate.thumbprint)).toBeDefined(), 5000)
    setClocks(151_000)
    await vi.waitFor(() => expect(responder.asked).toHaveLength(2), 5000)
    responder.behave = 'down'
    clock.offsetMs = 5 * HOUR_MS
    expect(cache.answer(certificate.thumbprint)).toBeUndefined()
  })
})

describe('an authority whose responder repeats no nonce', () => {
  it('is believed where the snapshot says so, and nowhere else', async () => {
    await using cache = open()
    responder.behave = 'no-nonce'
    await expect(cache.check(question(), clock.now())).rejects.toMatchObject(refused)
    await using other = open()
    await other.check(question('optional'), clock.now())
    expect(other.health()).toMatchObject([{ status: 'good' }])
  })
})

describe('an outage of the responder', () => {
  it('is announced at a third and two thirds of the time left, and at its end', async () => {
    const warn = vi.spyOn(logger, 'warn')
    const error = vi.spyOn(logger, 'error')
    const told = (): string[] =>
      [...warn.mock.calls, ...error.mock.calls].map(([, text]) => String(text))
    await using cache = open({ outageMinutes: 600 })
    await cache.check(question(), clock.now())
    responder.behave = 'down'
    clock.offsetMs = HOUR_MS
    await cache.check(question(), clock.now())
    expect(cache.health()[0]?.fault).toBeDefined()
    const after = async (hours: number, count: number): Promise<void> => {
      clock.offsetMs = hours * HOUR_MS
      await vi.waitFor(() => expect(told()).toHaveLength(count), 5000)
    }
    await after(1, 1) // no OCSP answer
    await after(3.9, 1)
    await after(4.1, 2)
    await cache.check(question(), clock.now())
    await after(7.1, 3)
    await cache.check(question(), clock.now())
    await after(10.1, 4)
    expect(error).toHaveBeenCalledTimes(1)
    expect(told()[1]).toMatch(/not heard for 4 h 6 min: used until 20/)
    await expect(cache.check(question(), clock.now())).rejects.toMatchObject({
      code: 'certificate.status-stale',
      message: expect.stringMatching(/10 h 6 min ago, and 10 h is the limit/) as string,
    })
    vi.restoreAllMocks()
  })

  it('makes no exchange wait that has a last good answer, but the one that finds it out', async () => {
    await using cache = open()
    await cache.check(question(), clock.now())
    responder.behave = 'down'
    clock.offsetMs = HOUR_MS
    await cache.check(question(), clock.now())
    const release = responder.hold()
    clock.offsetMs = HOUR_MS + 10_000
    const begun = performance.now()
    await cache.check(question(), clock.now())
    expect(performance.now() - begun).toBeLessThan(200)
    release()
  })

  it('may be over at once, by the answer’s own end, when no time is given', async () => {
    await using cache = open({ outageMinutes: 0 })
    await cache.check(question(), clock.now())
    responder.behave = 'down'
    clock.offsetMs = 3.9 * HOUR_MS
    await cache.check(question(), clock.now())
    clock.offsetMs = 4.1 * HOUR_MS
    const stale = { code: 'certificate.status-stale' }
    await expect(cache.check(question(), clock.now())).rejects.toMatchObject(stale)
  })
})
