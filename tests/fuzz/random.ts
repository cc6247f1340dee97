/** Numbers that look random and are the same for the same seed (mulberry32): a run can be repeated. */
export interface Random {
  /** From 0 to `limit` - 1; 0 when the limit is 0. */
  readonly below: (limit: number) => number
  /** @throws TypeError for an empty list. */
  readonly pick: <T>(items: readonly T[]) => T
}

export function createRandom(...seeds: readonly (number | string)[]): Random {
  let state = hashOf(seeds.join('/'))
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
  const below = (limit: number): number => (limit <= 0 ? 0 : next() % limit)
  return {
    below,
    pick: (items) => {
      if (items.length === 0) throw new TypeError('nothing to pick from')
      return items[below(items.length)]!
    },
  }
}

/** FNV-1a */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (const octet of Buffer.from(text)) hash = Math.imul(hash ^ octet, 0x01000193)
  return hash | 0
}
