import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTimeStampState } from '../../pki/authority/time-stamp-state.ts'
import type { TimeStampEvent, TimeStampingOptions } from '../../pki/authority/time-stamping.ts'
import { parseDer } from '../../pki/der.ts'
import { integer, octetString, oid, sequence, tagged } from '../../pki/der-writer.ts'
import { KeyError } from '../../pki/signing-key.ts'
import { createTspRequest } from '../../pki/tsp-request.ts'
import { readStatusInfo } from '../../pki/tsp-status.ts'
import { verifyTimeStamp } from '../../pki/tsp-verify.ts'
import { alterations, temporaryFolder, truncations, writeFiles } from './support.ts'
import { createTsa, type TestTsa } from './tsp-support.ts'

const DIGEST = Buffer.alloc(32, 7)
const REQUEST = createTspRequest({ hash: 'sha256', digest: DIGEST, certReq: true })
const SHA256 = '2.16.840.1.101.3.4.2.1'

let tsa: TestTsa
beforeAll(async () => {
  tsa = await createTsa()
})
afterAll(() => tsa[Symbol.dispose]())

/** Answers one request; the text is status, failure bits, and words. */
async function answer(
  request: Uint8Array,
  changes: Partial<TimeStampingOptions> = {},
): Promise<{ text: string; reply: Buffer; events: TimeStampEvent[] }> {
  const events: TimeStampEvent[] = []
  using stamping = tsa.open({ journal: (event) => events.push(event), ...changes })
  const reply = await stamping.answer(request)
  return { text: readStatusInfo(parseDer(reply).children[0]!).text, reply, events }
}

const imprint = (algorithm: string, digest: Buffer, ...parameters: Buffer[]): Buffer =>
  sequence(sequence(oid(algorithm), ...parameters), octetString(digest))
const request = (...fields: Buffer[]): Buffer => sequence(integer(1), ...fields)
const good = imprint(SHA256, DIGEST)
const extension = tagged(0, sequence(oid('1.2.3'), octetString(Buffer.from('0500', 'hex'))))

describe('a time-stamping authority refuses, with the failure bit of RFC 3161 §2.4.2', () => {
  it.each([
    ['an unknown hash', request(imprint('1.2.3.4', DIGEST)), 'badAlg'],
    ['SHA-1', request(imprint('1.3.14.3.2.26', Buffer.alloc(20))), 'badAlg'],
    ['MD5', request(imprint('1.2.840.113549.2.5', Buffer.alloc(16))), 'badAlg'],
    ['a hash with parameters', request(imprint(SHA256, DIGEST, integer(1))), 'badAlg'],
    ['a digest that is too short', request(imprint(SHA256, DIGEST.subarray(1))), 'badDataFormat'],
    ['a digest of another hash', request(imprint(SHA256, Buffer.alloc(64))), 'badDataFormat'],
    ['another version', sequence(integer(2), good), 'badRequest'],
    ['another policy', request(good, oid('1.2.3')), 'unacceptedPolicy'],
    ['an extension, critical or not', request(good, extension), 'unacceptedExtension'],
    ['a nonce beyond measure', request(good, integer(Buffer.alloc(65, 1))), 'badDataFormat'],
    ['a field too many', request(good, octetString(DIGEST)), 'badDataFormat'],
    ['bytes behind it', Buffer.concat([REQUEST, Buffer.of(0)]), 'badDataFormat'],
    ['nothing', Buffer.alloc(0), 'badDataFormat'],
    ['text', Buffer.from('GET / HTTP/1.1'), 'badDataFormat'],
    ['a huge one', Buffer.alloc(600_000, 0x30), 'badDataFormat'],
    ['an indefinite length', Buffer.from('3080020101000000', 'hex'), 'badDataFormat'],
  ])('%s', async (_name, bytes, failure) => {
    const { text, events } = await answer(bytes)
    expect(text).toMatch(new RegExp(`^rejection, ${failure}: `))
    expect(events).toMatchObject([{ kind: 'refused', failure }])
  })

  it('so that openssl reads the same bit and words', async () => {
    const { reply } = await answer(request(imprint('1.3.14.3.2.26', Buffer.alloc(20))))
    writeFiles(tsa.folder, { 'refused.tsr': reply })
    const text = await tsa.run('ts', '-reply', '-in', 'refused.tsr', '-text')
    expect(text).toContain('Status: Rejected.')
    expect(text).toContain('unrecognized or unsupported algorithm identifier')
    expect(text).toContain('use SHA-256, SHA-384 or SHA-512')
  })

  it('a key or a certificate that cannot be had: systemFailure, and the journal has the cause', async () => {
    const gone = new KeyError('the token is gone')
    const key = { publicKey: tsa.key.publicKey, sign: () => Promise.reject(gone) }
    const { text, events } = await answer(REQUEST, { key })
    expect(text).toBe('rejection, systemFailure: the request cannot be handled now')
    expect(events).toMatchObject([{ failure: 'systemFailure', cause: gone }])
  })

  it('a clock that is not trusted: timeNotAvailable', async () => {
    const { text } = await answer(REQUEST, { isClockTrusted: () => false })
    expect(text).toMatch(/^rejection, timeNotAvailable: /)
  })

  it('whatever the bytes are: every cut and many changes get an answer', async () => {
    using stamping = tsa.open()
    for (const bytes of [...truncations(REQUEST), ...alterations(REQUEST)]) {
      const reply = await stamping.answer(bytes)
      readStatusInfo(parseDer(reply).children[0]!)
    }
  })
})

describe('a time-stamping authority grants', () => {
  it('with its certificate only when asked, and repeats a nonce byte by byte', async () => {
    const nonce = Buffer.from('80', 'hex')
    const asked = createTspRequest({ hash: 'sha256', digest: DIGEST, nonce, certReq: false })
    const { reply, events } = await answer(asked)
    expect(reply.includes(tsa.certificate.der)).toBe(false)
    const at = new Date()
    const expected = { hash: 'sha256', digest: DIGEST, nonce, at } as const
    const stamp = verifyTimeStamp(reply, { ...expected, anchors: [tsa.certificate] })
    expect(events).toMatchObject([
      { kind: 'granted', serial: stamp.serial, genTime: stamp.genTime },
    ])
    expect(() => verifyTimeStamp(reply, { ...expected, anchors: [tsa.root] })).toThrow(
      expect.objectContaining({ code: 'timestamp.untrusted' }),
    )
    expect((await answer(REQUEST)).reply.includes(tsa.certificate.der)).toBe(true)
  })

  it('with milliseconds when it is more exact than a second, with whole seconds otherwise', async () => {
    const now = new Date(Math.floor(Date.now() / 1000) * 1000 + 5120)
    const genTime = async (accuracyMs: number, file: string): Promise<Date> => {
      const stateFile = join(temporaryFolder(), file)
      const { reply } = await answer(REQUEST, { clock: () => now, accuracyMs, stateFile })
      const expected = { hash: 'sha256', digest: DIGEST, at: now, anchors: [tsa.root] } as const
      const stamp = verifyTimeStamp(reply, expected)
      expect(stamp.accuracyMs).toBe(accuracyMs)
      return stamp.genTime
    }
    expect((await genTime(1500, 'a.db')).getTime()).toBe(now.getTime() - 120)
    expect((await genTime(250, 'b.db')).getTime()).toBe(now.getTime())
  })
})

describe('serials and times of a time-stamping authority', () => {
  const open = (file: string, accuracyMs = 1000) => openTimeStampState(file, { accuracyMs })

  it('are unique over two openings at one time, and over openings one after another', () => {
    const file = join(temporaryFolder(), 'state.db')
    const seen = new Set<string>()
    let count = 0
    for (let round = 0; round < 3; round += 1) {
      using first = open(file)
      using second = open(file)
      for (let i = 0; i < 1200; i += 1, count += 2) {
        seen.add(first.nextSerial().toString('hex'))
        seen.add(second.nextSerial().toString('hex'))
      }
    }
    expect(seen.size).toBe(count)
    // The first halves alone are unique: nothing is left to chance while the file is the newest.
    expect(new Set([...seen].map((serial) => serial.slice(0, -16))).size).toBe(count)
  })

  it('are unique, and times never go back, over processes that are killed', async () => {
    const file = join(temporaryFolder(), 'state.db')
    const script = join(import.meta.dirname, 'time-stamp-until-killed.ts')
    const serials: string[] = []
    let latest = 0
    for (const target of [300, 2300, 1300]) {
      const child = spawn(process.execPath, [script, file], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const closed = once(child, 'close')
      let lines = 0
      for await (const line of createInterface({ input: child.stdout })) {
        const [serial = '', time] = line.split(' ')
        if (time === undefined) continue
        serials.push(serial)
        expect(Number(time)).toBeGreaterThanOrEqual(latest)
        latest = Number(time)
        if (++lines === target) child.kill('SIGKILL')
      }
      await closed
    }
    expect(new Set(serials).size).toBe(serials.length)
  })

  it('repeat the latest time for a clock a little behind, and give none for one further behind', () => {
    const file = join(temporaryFolder(), 'state.db')
    const at = (seconds: number): Date => new Date(Date.UTC(2026, 0, 1) + seconds * 1000)
    {
      using state = open(file)
      expect(state.timeAt(at(100.9))).toEqual(at(100))
      expect(state.timeAt(at(99))).toEqual(at(100))
      expect(state.timeAt(at(98.9))).toBeUndefined()
    }
    using again = open(file)
    expect(again.timeAt(at(40))).toBeUndefined()
    expect(again.timeAt(at(99.5))).toEqual(at(100))
    expect(again.timeAt(at(101))).toEqual(at(101))
  })

  it('show in an answer: a clock set back by an hour stamps nothing until it is right again', async () => {
    const now = new Date()
    const stateFile = join(temporaryFolder(), 'state.db')
    const stateAt = (clock: Date) => ({ stateFile, clock: () => clock })
    expect((await answer(REQUEST, stateAt(now))).text).toBe('granted')
    const back = await answer(REQUEST, stateAt(new Date(now.getTime() - 3_600_000)))
    expect(back.text).toMatch(/^rejection, timeNotAvailable: the clock was set back/)
    expect((await answer(REQUEST, stateAt(now))).text).toBe('granted')
  })
})
