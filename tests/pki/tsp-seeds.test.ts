/** Every seed of the fuzz run, cut and changed at each byte: a value or a refusal, never a crash. */
import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseTspRequest } from '../../pki/tsp-request.ts'
import { verifyTimeStamp } from '../../pki/tsp-verify.ts'
import { alterations, outcomeOf, truncations } from './support.ts'

const seeds = globSync(join(import.meta.dirname, '..', 'fuzz', 'seeds', 'tsp-*.der'))
// What the seeds are about, so that a decoder gets to their signatures.
const digest = createHash('sha256').update('x').digest()
const expected = { hash: 'sha256', digest, anchors: [], at: new Date() } as const

const decoders: readonly [prefix: string, read: (bytes: Uint8Array) => unknown][] = [
  ['tsp-request', parseTspRequest],
  ['tsp-response', (bytes) => verifyTimeStamp(bytes, expected)],
]

describe.each(decoders)('%s', (prefix, read) => {
  const own = seeds.filter((file) => basename(file).startsWith(prefix))

  it.each(own)('of %s', (file) => {
    const bytes = readFileSync(file)
    for (const cut of truncations(bytes)) expect(outcomeOf(() => read(cut))).toBe('refused')
    for (const altered of alterations(bytes, bytes.length)) outcomeOf(() => read(altered))
  })

  it('has seeds', () => expect(own.length).toBeGreaterThan(2))
})
