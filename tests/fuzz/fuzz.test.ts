import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { DECODERS } from './decoders.ts'
import { mutate } from './mutate.ts'
import { createRandom } from './random.ts'
import { fuzz } from './run.ts'

const SEED = 1
const RUNS = 1_000

describe('fuzz', () => {
  it.each(Object.keys(DECODERS))('finds nothing in %s', async (decoder) => {
    const { findings, outcomes } = await fuzz({ decoder, runs: RUNS, seed: SEED })
    expect(findings).toEqual([])
    expect(Object.values(outcomes).reduce((sum, count) => sum + count)).toBe(RUNS)
  })

  it('gives the same inputs for the same seed, and others for another', () => {
    const { seeds } = DECODERS['certificate']!
    const inputs = (seed: number) =>
      Array.from({ length: 200 }, (_, index) =>
        mutate(seeds, createRandom(seed, 'certificate', index)).toString('hex'),
      )
    expect(inputs(7)).toEqual(inputs(7))
    expect(new Set([...inputs(7), ...inputs(8)]).size).toBeGreaterThan(350)
  })

  it.each([
    ['crash', 'crashes'],
    ['hang', 'hangs'],
    ['slow', 'crawls'],
  ])('tells of a %s with the input that shows it', async (kind, decoder) => {
    const decodersUrl = new URL('./broken-decoders.ts', import.meta.url).href
    const limits = { limitMs: 20, ...(kind === 'hang' ? { hangMs: 1_000 } : {}) }
    const { findings } = await fuzz({ decoder, runs: 60, seed: SEED, decodersUrl, ...limits })
    expect(findings.length).toBeGreaterThan(0)
    expect(new Set(findings.map((finding) => finding.kind))).toEqual(new Set([kind]))
    const bytes = { crashes: 4, hangs: 3, crawls: 2 }[decoder]
    for (const { hex } of findings) expect(hex).toHaveLength(2 * bytes!)
  })

  it('has seeds that hold no private key', () => {
    for (const { seeds } of Object.values(DECODERS)) expect(seeds.length).toBeGreaterThan(0)
    expect(readFileSync('tests/fuzz/make-seeds.ts', 'utf8')).not.toContain('pkcs8')
  })
})
