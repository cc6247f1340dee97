import { describe, expect, it } from 'vitest'
import { parseCheckpoint } from '../../protocol/checkpoint.ts'
import { NoteError } from '../../protocol/signed-note.ts'
import { judgeCosignatures, parsePolicy } from '../../protocol/tlog-policy.ts'
import { readVectors, unlessNoteError } from './support.ts'

interface Vector {
  readonly comment: string
  readonly policy: string
  readonly checkpoint: string
  readonly enough: boolean | null
  readonly by?: string[]
}

describe('a policy', () => {
  it.each(readVectors<Vector[]>('tlog-policy'))(
    '$comment',
    ({ policy, checkpoint, enough, by }) => {
      const judged = unlessNoteError(() =>
        judgeCosignatures(parseCheckpoint(checkpoint), parsePolicy(policy)),
      )
      expect(judged?.isEnough ?? null).toBe(enough)
      expect(judged?.by.map(({ name }) => name)).toEqual(by)
    },
  )

  it('says in which line its fault is', () => {
    expect(() => parsePolicy('# a\n\nquorum x\n')).toThrow(/line 3/)
  })

  it('is bounded', () => {
    expect(() => parsePolicy(`${'\n'.repeat(200_000)}quorum none\n`)).toThrow(NoteError)
  })
})
