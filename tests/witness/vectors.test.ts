import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseCheckpoint, verifyCosignature } from '../../protocol/checkpoint.ts'
import { isBy, parseSignatureLine, parseVkey } from '../../protocol/signed-note.ts'
import { readVectors } from '../protocol/support.ts'
import { post, startWitness, temporaryFolder, type TestWitness } from './support.ts'

interface Vectors {
  readonly log: string
  readonly witness: string
  readonly at: string
  readonly steps: {
    readonly comment: string
    readonly body: string
    readonly status: number
    readonly type?: string
    readonly text?: string
  }[]
}
const { log, witness: vkey, at, steps } = readVectors<Vectors>('witness')

let witness: TestWitness
beforeAll(async () => {
  const file = join(temporaryFolder(), 'witness.db')
  witness = await startWitness({ logs: [parseVkey(log)], file, clock: () => new Date(at) })
})
afterAll(() => witness[Symbol.asyncDispose]())

it.each(steps)('$comment', async ({ body, status, type, text }) => {
  const answer = await post(witness.url, body)
  expect(answer.status).toBe(status)
  if (type !== undefined) expect(answer.type).toBe(type)
  if (status === 409) expect(answer.text).toBe(text)
  if (status !== 200) return
  const signed = parseCheckpoint(body.slice(body.indexOf('\n\n') + 2)).note.text
  // Keys differ: what the vectors' witness said, and what ours says.
  const given = [parseVkey(vkey), text!] as const
  for (const [verifier, line] of [given, [witness.key.verifier, answer.text] as const]) {
    const signature = parseSignatureLine(line.slice(0, -1))
    expect(isBy(signature, verifier)).toBe(true)
    expect(verifyCosignature(signed, signature, verifier)).toEqual(new Date(at))
  }
})
