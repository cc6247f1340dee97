import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  anchorsAfter,
  parseAnchorStatement,
  verifyAnchorStatement,
} from '../../protocol/anchor-statement.ts'
import type { Anchor } from '../../protocol/snapshot.ts'
import { codeOf, expand, readVectors, type VectorText } from './support.ts'

interface Vectors {
  readonly anchors: Record<string, Anchor>
  readonly cases: {
    readonly comment: string
    readonly anchor: string
    readonly statement: VectorText
    readonly number?: number
    readonly code?: string
  }[]
}
const { anchors, cases: written } = readVectors<Vectors>('anchor-statement')
const cases = written.map((one) => ({ ...one, statement: expand(one.statement) }))
const named = (comment: string): string => cases.find((one) => one.comment === comment)!.statement

const numberOrCode = (statement: string, anchor: Anchor): Promise<number | string> =>
  verifyAnchorStatement(statement, anchor).then(({ number }) => number, codeOf)

describe('verifyAnchorStatement', () => {
  it.each(cases)('$comment', async ({ anchor, statement, number, code }) => {
    expect(await numberOrCode(statement, anchors[anchor]!)).toBe(number ?? code)
  })

  it('takes no alteration of a single character', async () => {
    const text = cases[0]!.statement
    const altered = fc
      .tuple(fc.nat(text.length - 1), fc.string({ minLength: 1, maxLength: 2 }))
      .filter(([at, other]) => !text.startsWith(other, at))
      .map(([at, other]) => text.slice(0, at) + other + text.slice(at + other.length))
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary' }), altered), async (statement) => {
        const outcome = await numberOrCode(statement, anchors.one!)
        // Blank space between members of the envelope is nobody's statement
        if (outcome === 2) expect(JSON.parse(statement)).toEqual(JSON.parse(text))
        else expect(outcome).toMatch(/^anchor\.(malformed|signature-invalid|not-next)$/)
      }),
    )
  })
})

describe('anchorsAfter', () => {
  const follow = async (statements: Record<number, string>): Promise<(number | string)[]> => {
    const taken: (number | string)[] = []
    const get = (number: number) => Promise.resolve(statements[number])
    try {
      for await (const { number, keys } of anchorsAfter(anchors.one!, get)) {
        taken.push(number, keys.length)
      }
    } catch (error) {
      taken.push(codeOf(error))
    }
    return taken
  }

  it('takes each by the one before, through keys that the first never had', async () => {
    const statements = {
      2: named('a new key beside the old one'),
      3: named('the old key left out'),
    }
    expect(await follow(statements)).toEqual([2, 2, 3, 1])
  })

  it('keeps what it took when the one after is refused', async () => {
    const replayed = named('a new key beside the old one')
    expect(await follow({ 2: replayed, 3: replayed })).toEqual([2, 2, 'anchor.not-next'])
  })
})

it('is read without being believed', async () => {
  const { content } = await parseAnchorStatement(named('not signed by the anchor before'))
  expect(content.number).toBe(2)
})
