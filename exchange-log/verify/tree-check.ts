import {
  HASH_BYTES,
  MerkleError,
  TILE_WIDTH,
  tileRoot,
  type ReadHashes,
} from '../../protocol/merkle-tree.ts'
import { tileReader } from '../tree-reader.ts'
import type { TreeStore } from '../tree-store.ts'
import type { Report } from './finding.ts'
import { createFrontier, type Frontier } from './frontier.ts'

/** A root that the tree must have at some size, and who says so. */
export interface Mark {
  readonly size: number
  /** Undefined: whoever waits wants to know the root. */
  readonly root: Buffer | undefined
  /** Whether the mark comes from outside: the tree is as it was signed when only this one contradicts. */
  readonly isForeign: boolean
  readonly name: string
  /** Told of the root of the tree at that size, when it is certain. */
  readonly met?: (root: Buffer) => void
}

/** Follows the tree from leaf to leaf, and compares it with its upper tiles and with what was signed. */
export interface TreeCheck {
  readonly size: number
  /** Adds leaf hashes that begin at an index; what lies between is taken from the tiles. */
  advance(from: number, leaves: Buffer): Promise<void>
  /** Goes on to a size by the tiles alone: between here and there no leaf is looked at. */
  skipTo(size: number): Promise<void>
  /** Reports what waited for later marks. */
  end(): void
}

interface Suspect {
  readonly level: number
  readonly index: number
}

const LEVELS = 8

/** @param marks in the order of sizes, each larger than the size at which the check begins, or as large. */
export function createTreeCheck(
  tree: Pick<TreeStore, 'tile'>,
  options: {
    readonly treeSize: number
    readonly marks: AsyncIterator<Mark>
    readonly report: Report
  },
): TreeCheck {
  const { treeSize, marks, report } = options
  const read = tileReader(tree)
  let whole: { level: number; index: number; hash: Buffer }[] = []
  const onWhole = (level: number, index: number, hash: Buffer): void => {
    if (level % LEVELS === 0) whole.push({ level, index, hash })
  }
  let low: Frontier = createFrontier(onWhole)
  // The same tree with the hashes that the upper tiles have where they contradict the leaves.
  let high: Frontier | undefined
  let before = low.clone(() => undefined)
  let suspects: Suspect[] = []
  let lastGood = 0
  let bad: Mark | undefined
  let isLost = false
  let isStuck = false
  let pending: IteratorResult<Mark> | undefined

  const nextMark = async (): Promise<Mark | undefined> => {
    pending ??= await marks.next()
    return pending.done === true ? undefined : pending.value
  }

  const compareTiles = async (): Promise<void> => {
    const made = whole
    whole = []
    for (const { level, index, hash } of made) {
      if ((index + 1) * 2 ** level > treeSize) continue
      const upper = await upperHash(level, index)
      if (upper === undefined || upper.equals(hash)) continue
      suspects.push({ level, index })
      if (level !== LEVELS) continue
      high = before
      high.push(upper, LEVELS)
    }
    before = (high ?? low).clone(() => undefined)
  }
  const upperHash = async (level: number, index: number): Promise<Buffer | undefined> => {
    try {
      return await read(level, index, index + 1)
    } catch (error) {
      if (!(error instanceof MerkleError)) throw error
      report({ ...spanOf({ level, index }), code: 'tile.missing', detail: error.message })
      return undefined
    }
  }

  const settle = (code: 'tile.altered' | 'record.altered'): void => {
    for (const { level, index } of suspects) {
      if (code === 'record.altered' && level !== LEVELS) continue
      const tile = `tile ${Math.floor(index / TILE_WIDTH)} of level ${level / LEVELS}`
      const span = spanOf({ level, index })
      if (code === 'tile.altered') {
        const detail = `${tile} does not fit the leaves below it, which are those that were signed`
        report({ ...span, code, detail })
        continue
      }
      const position = Math.max(span.position, lastGood + 1)
      const lastPosition = Math.min(span.lastPosition, bad?.size ?? Infinity)
      const detail = `one of these records was changed together with its leaf: ${tile} still has what was signed`
      report({ code, position, lastPosition, detail })
      // What contradicted the leaves contradicted these.
      if (bad !== undefined && bad.size >= position) bad = undefined
    }
    suspects = []
  }

  const meet = (mark: Mark): void => {
    if (isLost) return
    const root = low.root()
    if (mark.root === undefined) {
      if (bad === undefined) mark.met?.(root)
    } else if (root.equals(mark.root)) good(mark, 'tile.altered')
    else if (high !== undefined && high.root().equals(mark.root)) {
      low = high.clone(onWhole)
      good(mark, 'record.altered')
    } else if (bad !== undefined || mark.isForeign) contradicted(bad ?? mark)
    else bad = mark
  }
  const good = (mark: Mark, suspected: 'tile.altered' | 'record.altered'): void => {
    settle(suspected)
    high = undefined
    if (bad !== undefined) reportFork(bad)
    bad = undefined
    lastGood = mark.size
    mark.met?.(mark.root!)
  }
  const reportFork = ({ name, size }: Mark): void => {
    const detail = `${name} is signed, and is of another tree of ${size}`
    report({ code: 'checkpoint.forked', position: size, detail })
  }
  const contradicted = (mark: Mark): void => {
    if (mark.isForeign) {
      reportFork(mark)
      return
    }
    const detail = `the records and their tree are not those that were signed in ${mark.name}: one of these records was altered, removed or inserted, and the tree was made anew`
    const span = { position: lastGood + 1, lastPosition: mark.size }
    report({ code: 'record.altered', ...span, detail })
    isLost = true
  }

  const reach = async (size: number): Promise<void> => {
    if (size % TILE_WIDTH === 0) await compareTiles()
    for (let mark = await nextMark(); mark !== undefined && mark.size <= size;) {
      if (mark.size === size) meet(mark)
      pending = undefined
      mark = await nextMark()
    }
  }

  const skipTo = async (size: number): Promise<void> => {
    for (let at = low.size; at < size; at = low.size) {
      let level = 0
      while (at % 2 ** (level + 1) === 0 && at + 2 ** (level + 1) <= size) level += 1
      let hash: Buffer
      try {
        hash = await subtreeHash(level, at / 2 ** level, read)
      } catch (error) {
        if (!(error instanceof MerkleError)) throw error
        if (!isStuck) report({ code: 'tile.missing', position: at + 1, detail: error.message })
        isStuck = true
        return
      }
      low.push(hash, level)
      high?.push(hash, level)
      whole = []
      before = (high ?? low).clone(() => undefined)
      await reach(low.size)
    }
  }

  return {
    get size() {
      return low.size
    },
    advance: async (from, leaves) => {
      await skipTo(Math.min(from, treeSize))
      if (low.size !== from) return
      for (let taken = 0; taken < leaves.length;) {
        const tileEnd = (Math.floor(low.size / TILE_WIDTH) + 1) * TILE_WIDTH
        const mark = await nextMark()
        const left = (leaves.length - taken) / HASH_BYTES
        const end = Math.min(low.size + left, tileEnd, mark?.size ?? Infinity)
        while (low.size < end) {
          const leaf = leaves.subarray(taken, taken + HASH_BYTES)
          low.push(leaf)
          high?.push(leaf)
          taken += HASH_BYTES
        }
        await reach(end)
      }
    },
    skipTo,
    end: () => {
      settle('tile.altered') // no mark came that could tell more
      if (bad !== undefined && !isLost) contradicted(bad)
    },
  }
}

/** The hash of a perfect subtree, from the tile that has it or what is right below it. */
function subtreeHash(level: number, index: number, read: ReadHashes): Promise<Buffer> {
  const base = Math.floor(level / LEVELS) * LEVELS
  const span = 2 ** (level - base)
  return read(base, index * span, (index + 1) * span).then(tileRoot)
}

const spanOf = ({ level, index }: Suspect): { position: number; lastPosition: number } => ({
  position: index * 2 ** level + 1,
  lastPosition: (index + 1) * 2 ** level,
})
