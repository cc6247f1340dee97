import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import type { OcspQuestion } from '../../gateway/trust/known-state.ts'
import { openOcspCache, type OcspCache } from '../../gateway/trust/ocsp-cache.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { createTestAuthority, temporaryFolder } from '../pki/support.ts'
import { generateKey } from '../../pki/keys.ts'
import { DAY_MS, HOUR_MS, shiftedClock, type ShiftedClock } from '../support/clock.ts'
import { startResponder, type Responder } from './ocsp-responder.ts'
import { silent } from './support.ts'

let responder: Responder
let clock: ShiftedClock
let dir: string
beforeEach(async () => {
  responder = await startResponder()
  clock = shiftedClock()
  dir = temporaryFolder()
  return () => responder[Symbol.asyncDispose]()
})

const open = (refreshSeconds = 300): OcspCache =>
  openOcspCache({ ...policy, dir, refreshSeconds, clock: clock.now, logger: silent })
const check = async (cache: OcspCache, certificate: Certificate): Promise<void> => {
  await cache.check(asked(certificate), clock.now())
}
const policy = { gateway: 'KH-TEST/GOV/REG/REG-1', outageMinutes: 240 }
const asked = (certificate: Certificate): OcspQuestion => ({
  certificate,
  issuer: responder.issuing,
  nonce: 'required',
})
const stale = { code: 'certificate.status-stale' }
const unknown = { code: 'certificate.status-unknown' }
const revoked = { code: 'certificate.revoked' }
/** Answers hold for four hours. */
const OVER_MS = 5 * HOUR_MS

describe('the OCSP cache', () => {
  it('waits for the first answer, and for none after that', async () => {
    const certificate = await responder.issue()
    await using cache = open()
    const release = responder.hold()
    let done = false
    const first = check(cache, certificate).then(() => (done = true))
    await vi.waitFor(() => expect(responder.asked).toHaveLength(1))
    expect(done).toBe(false)
    release()
    await first
    responder.behave = 'down'
    for (let i = 0; i < 5; i += 1) await check(cache, certificate)
    expect(responder.asked).toEqual([certificate.serial])
    expect(cache.health()).toMatchObject([{ subject: certificate.subject, status: 'good' }])
  })

  it('asks once for many that wait for the same certificate', async () => {
    const certificate = await responder.issue()
    await using cache = open()
    await Promise.all(Array.from({ length: 20 }, () => check(cache, certificate)))
    expect(responder.asked).toHaveLength(1)
  })

  it('refuses a revoked certificate, also when the answer is old and the responder is down', async () => {
    const certificate = await responder.issue()
    responder.revoke(certificate)
    await using cache = open()
    await expect(check(cache, certificate)).rejects.toMatchObject(revoked)
    responder.behave = 'down'
    await expect(check(cache, certificate)).rejects.toMatchObject(revoked)
    clock.offsetMs = OVER_MS
    await expect(check(cache, certificate)).rejects.toMatchObject(revoked)
    expect(cache.health()).toMatchObject([{ status: 'revoked' }])
  })

  it('keeps one certificate’s state apart from another’s', async () => {
    const [good, bad] = [await responder.issue(), await responder.issue()]
    responder.revoke(bad)
    await using cache = open()
    await expect(check(cache, bad)).rejects.toMatchObject(revoked)
    await check(cache, good)
  })

  it('sees a revocation without being asked, once its answer is old enough', async () => {
    const certificate = await responder.issue()
    await using cache = open()
    await check(cache, certificate)
    responder.revoke(certificate)
    clock.offsetMs = 301_000
    await vi.waitFor(() => expect(check(cache, certificate)).rejects.toMatchObject(revoked), 10_000)
  })

  it('fetches what it follows before anybody asks', async () => {
    const certificates = [await responder.issue(), await responder.issue()]
    await using cache = open()
    cache.follow(certificates.map(asked))
    expect(cache.health().map(({ status }) => status)).toEqual(['unknown', 'unknown'])
    const good = ['good', 'good']
    await vi.waitFor(() => expect(cache.health().map((h) => h.status)).toEqual(good), 10_000)
    expect(responder.asked).toHaveLength(2)
  })

  it('goes on without a responder until the answer is over, and again when it is back', async () => {
    const certificate = await responder.issue()
    await using cache = open()
    await check(cache, certificate)
    responder.behave = 'down'
    clock.offsetMs = 3 * HOUR_MS
    await check(cache, certificate)
    clock.offsetMs = OVER_MS
    await expect(check(cache, certificate)).rejects.toMatchObject(stale)
    expect(cache.health()).toMatchObject([{ fault: expect.any(String) as string }])
    responder.behave = 'answer'
    responder.clock.offsetMs = OVER_MS
    clock.offsetMs = OVER_MS + 3000
    await check(cache, certificate)
    expect(cache.health()).toMatchObject([{ status: 'good', fault: undefined }])
  })

  it('leaves a responder alone for a while after a failure, however many ask', async () => {
    const certificate = await responder.issue()
    responder.behave = 'error'
    const at = clock.now()
    const frozen = { ...policy, dir, refreshSeconds: 300, clock: () => at, logger: silent }
    await using cache = openOcspCache(frozen)
    for (let i = 0; i < 20; i += 1) {
      const attempt = cache.check(asked(certificate), at)
      await expect(attempt).rejects.toMatchObject(unknown)
    }
    expect(responder.asked).toHaveLength(1)
  })

  it('asks again after a clock that was ahead has been put right', async () => {
    const certificate = await responder.issue()
    clock.offsetMs = 10 * DAY_MS
    await using cache = open()
    await expect(check(cache, certificate)).rejects.toMatchObject(unknown)
    clock.offsetMs = 0
    await check(cache, certificate)
  })

  it.each(['garbage', 'error', 'long', 'other', 'down'] as const)(
    'takes no state from a responder that answers with %s, and keeps the one it has',
    async (behaviour) => {
      const [before, after] = [await responder.issue(), await responder.issue()]
      await using cache = open()
      await check(cache, before)
      responder.behave = behaviour
      await expect(check(cache, after)).rejects.toMatchObject(unknown)
      clock.offsetMs = 301_000
      const faulty = (): void =>
        expect(cache.health().map(({ fault }) => fault !== undefined)).toEqual([true, true])
      await vi.waitFor(faulty, 10_000)
      await check(cache, before)
    },
  )

  it('takes no answer that was given to another question', async () => {
    const certificate = await responder.issue()
    {
      await using cache = open()
      await check(cache, certificate)
    }
    responder.behave = 'replay'
    dir = temporaryFolder()
    await using cache = open()
    await expect(check(cache, certificate)).rejects.toMatchObject(unknown)
  })

  it('takes no answer that is older than the one it has', async () => {
    const certificate = await responder.issue()
    await using cache = open()
    await check(cache, certificate)
    const [before] = cache.health()
    responder.clock.offsetMs = -120_000
    clock.offsetMs = 301_000
    const fetched = (): unknown => cache.health()[0]?.fetchedAt?.getTime()
    const first = before?.fetchedAt?.getTime()
    await vi.waitFor(() => expect(fetched()).toBeGreaterThan(first! + 300_000), 10_000)
    expect(cache.health()).toMatchObject([{ status: 'good', nextUpdate: before?.nextUpdate }])
  })

  it('follows no longer what is not ours and nobody asked for', async () => {
    const [used, unused, listed] = await Promise.all([1, 2, 3].map(() => responder.issue()))
    await using cache = open()
    cache.follow([used!, unused!, listed!].map(asked))
    await check(cache, used!)
    cache.follow([asked(listed!)])
    expect(cache.health().map(({ own }) => own)).toEqual([false, false, true])
    clock.offsetMs = 2 * DAY_MS
    await vi.waitFor(() => expect(cache.health()).toHaveLength(1), 10_000)
  })

  it('says unknown for a certificate that names no responder', async () => {
    const authority = await createTestAuthority()
    const { publicKey } = await generateKey('P-256')
    const certificate = await authority.issue({ profile: 'signing', publicKey, at: clock.now() })
    await using cache = open()
    const issuer = authority.issuing.certificate
    const question = { certificate, issuer, nonce: 'required' } as const
    const attempt = cache.check(question, clock.now())
    await expect(attempt).rejects.toMatchObject(unknown)
  })

  it('reaches every certificate although the responder is slower than answers grow old', async () => {
    const certificates: Certificate[] = []
    for (let i = 0; i < 16; i += 1) certificates.push(await responder.issue())
    responder.delayMs = 600
    await using cache = open(1)
    cache.follow(certificates.map(asked))
    const timesAsked = ({ serial }: Certificate): number =>
      responder.asked.filter((asked) => asked === serial).length
    const everyTwice = (): void =>
      expect(certificates.filter((certificate) => timesAsked(certificate) < 2)).toEqual([])
    await vi.waitFor(everyTwice, { timeout: 30_000, interval: 50 })
    expect(responder.mostAtOnce).toBeLessThanOrEqual(4)
  })
})

describe('the answers on disk', () => {
  it('are used after a restart, while they hold', async () => {
    const [good, bad] = [await responder.issue(), await responder.issue()]
    responder.revoke(bad)
    {
      await using cache = open()
      await check(cache, good)
      await expect(check(cache, bad)).rejects.toMatchObject(revoked)
    }
    responder.behave = 'down'
    responder.asked.length = 0
    {
      await using cache = open()
      await check(cache, good)
      await expect(check(cache, bad)).rejects.toMatchObject(revoked)
    }
    expect(responder.asked).toEqual([])
    clock.offsetMs = OVER_MS
    await using cache = open()
    await expect(check(cache, good)).rejects.toMatchObject(stale)
  })

  it('are as old after a restart as they were before', async () => {
    const certificate = await responder.issue()
    {
      await using cache = open()
      await check(cache, certificate)
    }
    responder.revoke(certificate)
    responder.clock.offsetMs = clock.offsetMs = 301_000
    await using cache = open()
    cache.follow([asked(certificate)])
    const states = (): unknown => cache.health().map(({ status }) => status)
    await vi.waitFor(() => expect(states()).toEqual(['revoked']), 10_000)
  })

  it('are not believed more than what the responder sends', async () => {
    const [certificate, other] = [await responder.issue(), await responder.issue()]
    {
      await using cache = open()
      await check(cache, other)
      await check(cache, certificate)
    }
    const ofOther = readFileSync(join(dir, `${other.thumbprint}.der`))
    responder.behave = 'down'
    for (const content of [Buffer.from('garbage'), Buffer.alloc(0), ofOther]) {
      writeFileSync(join(dir, `${certificate.thumbprint}.der`), content)
      await using cache = open()
      await expect(check(cache, certificate)).rejects.toMatchObject(unknown)
    }
    responder.behave = 'answer'
    await using cache = open()
    await check(cache, certificate)
  })
})
