import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { recordText, type LogRecord } from '../../exchange-log/record.ts'
import { COLUMNS, toRow } from '../../exchange-log/sqlite-rows.ts'
import { createFrontier } from '../../exchange-log/verify/frontier.ts'
import { CANONICAL_COLUMNS, rowText } from '../../exchange-log/verify/row-text.ts'
import { leafHash, rootOf } from '../../protocol/merkle-tree.ts'
import { logOfFile } from '../support/log-of-file.ts'
import { told, verify } from './verify-support.ts'

const SIZES = [100, 400, 650, 700, 3000]
const { tsa, log } = await logOfFile(SIZES)

describe('verifying a log', () => {
  it('finds nothing in one that is as it was written', async () => {
    const result = await verify(log, { signatures: true, anchors: [tsa.root], all: true })
    expect(told(result)).toEqual([])
    expect(result).toMatchObject({
      ...{ from: 1, to: 3000, records: 3000, treeSize: 3000, signatures: 3000, isStopped: false },
      ...{ checkpoints: SIZES.length, stamps: 1, stampedUpTo: 700, witnessedUpTo: undefined },
    })
  })

  it.each([
    [1, 1],
    [256, 257],
    [300, 2900],
    [2049, 2560],
    [2999, 3000],
    [2999, 9000],
  ])('looks at the positions %i to %i alone when told so', async (from, to) => {
    const result = await verify(log, { from, to, all: true })
    const until = Math.min(to, 3000)
    expect(told(result)).toEqual([])
    expect(result).toMatchObject({ from, to: until, records: until - from + 1 })
  })

  it('tells how far it is, and stops when it is told to', async () => {
    const stop = new AbortController()
    const seen: number[] = []
    const result = await verify(log, {
      signal: stop.signal,
      onProgress: ({ done, total }) => {
        expect(total).toBe(3000)
        seen.push(done)
        stop.abort()
      },
    })
    expect(seen).toEqual([2048])
    expect(result).toMatchObject({ isStopped: true, to: 2048, findings: [] })
  })
})

describe('the text of a row', () => {
  it('is the one of its record, whatever that says', () => {
    const text = fc.string({ unit: 'grapheme' })
    const instant = fc.date({ noInvalidDate: true })
    const record = fc.record(
      {
        ...{ exchangeId: text, side: fc.constantFrom('client', 'provider'), kind: text },
        ...{ at: instant, recordedAt: instant, begunAt: fc.maxSafeNat() },
        ...{ client: text, service: text, method: text, target: text, messageId: text },
        ...{ userId: text, issue: text, representedParty: text, purpose: text, peer: text },
        ...{ manifest: text, kept: fc.constantFrom('full', 'digest', 'none') },
        ...{ bodyBytes: fc.maxSafeNat(), status: fc.nat(599), code: text, origin: text },
        ...{ detail: text, actor: text },
      },
      { requiredKeys: ['exchangeId', 'kind', 'at', 'recordedAt'] },
    )
    fc.assert(
      fc.property(record, (value) => {
        const made = value as unknown as LogRecord
        const none = Buffer.alloc(0)
        const row = toRow({ record: made, salt: none, commitment: none })
        // toRow has salt and commitment before the columns
        const sorted = CANONICAL_COLUMNS.map((column) => row[2 + COLUMNS.indexOf(column)])
        expect(rowText(sorted, 0)).toBe(recordText(made))
      }),
    )
  })

  it('is none where a row holds what no record can', () => {
    const row = (column: string, value: unknown): unknown[] =>
      CANONICAL_COLUMNS.map((name) => (name === column ? value : name === 'at' ? 0 : null))
    expect(rowText(row('recordedAt', 9e15), 0)).toBeUndefined()
    expect(rowText(row('status', 1.5), 0)).toBeUndefined()
    expect(rowText(row('status', Buffer.alloc(1)), 0)).toBeUndefined()
  })
})

describe('a frontier', () => {
  it('has the root of the tree at every size, and tells of every whole subtree', () => {
    const leaves = Array.from({ length: 300 }, (_, i) => leafHash(Buffer.from(`leaf ${i}`)))
    const whole: string[] = []
    const frontier = createFrontier((level, index, hash) => {
      const span = leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)
      expect(hash).toEqual(rootOf(span))
      whole.push(`${level}/${index}`)
    })
    expect(frontier.root()).toEqual(rootOf([]))
    leaves.forEach((leaf, i) => {
      frontier.push(leaf)
      expect(frontier.root()).toEqual(rootOf(leaves.slice(0, i + 1)))
    })
    const expected = [1, 2, 3, 4, 5, 6, 7, 8].flatMap((level) =>
      Array.from({ length: Math.floor(300 / 2 ** level) }, (_, i) => `${level}/${i}`),
    )
    expect(whole.toSorted()).toEqual(expected.toSorted())
  })
})
