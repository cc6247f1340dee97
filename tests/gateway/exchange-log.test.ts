import { describe, expect, it } from 'vitest'
import { createExchangeLog, type LogPrivacy } from '../../gateway/exchange-log/log.ts'
import type { ExchangeEntry, LogRecord } from '../../exchange-log/record.ts'
import { LogStoreError, type ExchangeLogStore } from '../../exchange-log/store.ts'
import { refusalEntry, requestEntry } from '../contract/exchange-log-entries.ts'
import { NOW } from '../pki/support.ts'
import { silent } from './support.ts'

/** Refusals have no content: nothing is sealed. */
const privacy: LogPrivacy = {
  sealer: { seal: () => Promise.reject(new TypeError('nothing is to be sealed')) },
  rules: [],
  classificationOf: () => undefined,
}
const logOver = (append: ExchangeLogStore['append']) =>
  createExchangeLog(
    { append, unstage: async () => undefined },
    { clock: () => NOW, logger: silent, privacy },
  )

describe('the exchange log as steps see it', () => {
  it('gives the position of the entry', async () => {
    expect(await logOver(async () => 7).record(requestEntry('x'))).toBe(7)
  })

  it('says in the protocol’s words that it takes no entries, and keeps the cause to itself', async () => {
    const cause = new LogStoreError('/var/lib/secret: disk full')
    const record = logOver(() => Promise.reject(cause)).record(requestEntry('x'))
    await expect(record).rejects.toMatchObject({ code: 'log.unavailable', status: 503, cause })
    await expect(record).rejects.not.toHaveProperty('message', expect.stringContaining('secret'))
  })

  it('lets a bug be a bug', async () => {
    const bug = new TypeError('a bug')
    const record = logOver(() => Promise.reject(bug)).record(requestEntry('x'))
    await expect(record).rejects.toBe(bug)
  })
})

describe('refusals of strangers', () => {
  const at = (seconds: number): Date => new Date(NOW.getTime() + seconds * 1000)
  const refusalAt = (seconds: number): ExchangeEntry =>
    refusalEntry(`x-${seconds}`, 'client.unknown', { at: at(seconds) })
  const recording = () => {
    const entries: LogRecord[] = []
    return { entries, log: logOver(async ({ record }) => entries.push(record)) }
  }

  it('are recorded one by one, while they are few', async () => {
    const { entries, log } = recording()
    for (let i = 0; i < 120; i += 1) await log.recordStranger(refusalAt(i))
    expect(entries.map(({ exchangeId }) => exchangeId)).toEqual(
      Array.from({ length: 120 }, (_, i) => `x-${i}`),
    )
  })

  it('are counted when they are a flood, and their number is recorded afterwards', async () => {
    const { entries, log } = recording()
    for (let i = 0; i < 5000; i += 1) await log.recordStranger(refusalAt(0))
    const recorded = entries.length
    expect(recorded).toBeLessThan(1000)
    await log.recordStranger(refusalAt(60))
    expect(entries).toHaveLength(recorded + 2)
    expect(entries.at(-2)?.detail).toContain(String(5000 - recorded))
    expect(entries.at(-1)?.exchangeId).toBe('x-60')
  })

  it('take nothing from those who are known', async () => {
    const { entries, log } = recording()
    for (let i = 0; i < 5000; i += 1) await log.recordStranger(refusalAt(0))
    const before = entries.length
    await log.record(refusalAt(1))
    expect(entries).toHaveLength(before + 1)
  })

  it('are refused in the protocol’s words when the log takes no entries', async () => {
    const log = logOver(() => Promise.reject(new LogStoreError('full')))
    const attempt = log.recordStranger(refusalAt(0))
    await expect(attempt).rejects.toMatchObject({ code: 'log.unavailable' })
  })
})
