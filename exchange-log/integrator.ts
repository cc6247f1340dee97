import type { KeyObject } from 'node:crypto'
import { checkpointText } from '../protocol/checkpoint.ts'
import {
  HASH_BYTES,
  leafHash,
  TILE_WIDTH,
  tileRoot,
  treeRoot,
  type ReadHashes,
} from '../protocol/merkle-tree.ts'
import { formatNote, signNote, type NoteVerifier } from '../protocol/signed-note.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { ExchangeLogStore } from './store.ts'
import { tileReader } from './tree-reader.ts'
import type { StoredCheckpoint, TileWrite, TreeStore } from './tree-store.ts'

/** The key that signs a log's checkpoints; the verifier's name is the log's origin. */
export interface LogKey {
  readonly verifier: NoteVerifier
  readonly privateKey: KeyObject
}

/** Brings records into the tree, beside the traffic: no exchange waits for it. */
export interface Integrator extends AsyncDisposable {
  /** Looks at the log now; resolves when what was there is in a checkpoint, or cannot be for now. */
  integrateNow(): Promise<void>
  /** Why records are not brought into the tree; undefined when they are. */
  readonly fault: string | undefined
}

export interface IntegratorOptions {
  readonly records: Pick<ExchangeLogStore, 'commitments'>
  readonly tree: TreeStore
  readonly key: LogKey
  readonly clock: Clock
  readonly logger: Logger
  /** Told of each new checkpoint. */
  readonly onCheckpoint?: (checkpoint: StoredCheckpoint) => void
  /** Longest time from a record to its checkpoint, half of it to spare. */
  readonly intervalMs?: number
}

const INTERVAL_MS = 500
/** Leaves of one step: memory stays bounded however long the integrator was away. */
const BATCH = 16_384

export function startIntegrator(options: IntegratorOptions): Integrator {
  const { logger, intervalMs = INTERVAL_MS } = options
  let fault: string | undefined
  let closed = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined

  const round = async (): Promise<void> => {
    try {
      for (let isMore = true; isMore && !closed;) isMore = await integrate(options)
      if (fault !== undefined) logger.info('the tree of the exchange log grows again')
      fault = undefined
    } catch (error) {
      if (closed) return
      const text = String(error)
      if (text !== fault) logger.error({ err: error }, 'the tree of the exchange log does not grow')
      fault = text
    }
  }
  const run = (): Promise<void> => {
    if (closed) return Promise.resolve()
    clearTimeout(timer)
    running ??= round().finally(() => {
      running = undefined
      if (!closed) timer = setTimeout(() => void run(), intervalMs)
    })
    return running
  }
  void run()
  return {
    integrateNow: async () => {
      await running
      await run()
    },
    get fault() {
      return fault
    },
    [Symbol.asyncDispose]: async () => {
      closed = true
      clearTimeout(timer)
      await running
    },
  }
}

/** One step. @returns whether there may be more. */
async function integrate(options: IntegratorOptions): Promise<boolean> {
  const { records, tree, key, clock, onCheckpoint } = options
  const from = (await tree.head())?.size ?? 0
  const commitments = await records.commitments(from, BATCH)
  if (commitments.length === 0) return false
  const grown = await growTiles(tree, from, commitments.map(leafHash))
  const size = from + commitments.length
  const rootHash = await treeRoot(size, grown.read)
  const text = checkpointText({ origin: key.verifier.name, size, rootHash })
  const note = formatNote(text, [signNote(text, key.verifier, key.privateKey)])
  const checkpoint = { size, rootHash, note, at: clock(), cosignatures: [] }
  if (await tree.advance(from, grown.tiles, checkpoint)) onCheckpoint?.(checkpoint)
  return commitments.length === BATCH
}

/** The tiles that change when leaves are added behind `from`, and a reader that sees them already. */
async function growTiles(
  tree: Pick<TreeStore, 'tile'>,
  from: number,
  leaves: readonly Buffer[],
): Promise<{ tiles: TileWrite[]; read: ReadHashes }> {
  const written = new Map<string, TileWrite>()
  let start = from
  let hashes: readonly Buffer[] = leaves
  for (let level = 0; hashes.length > 0; level += 1) {
    const above: Buffer[] = []
    for (let taken = 0; taken < hashes.length;) {
      const index = Math.floor((start + taken) / TILE_WIDTH)
      const width = (start + taken) % TILE_WIDTH
      const added = hashes.slice(taken, taken + TILE_WIDTH - width)
      const before = width === 0 ? Buffer.alloc(0) : await tree.tile(level, index)
      const tile = Buffer.concat([before!.subarray(0, width * HASH_BYTES), ...added])
      written.set(`${level}/${index}`, { level, index, hashes: tile })
      if (tile.length === TILE_WIDTH * HASH_BYTES) above.push(tileRoot(tile))
      taken += added.length
    }
    start = Math.floor(start / TILE_WIDTH)
    hashes = above
  }
  const read = tileReader({
    tile: async (level, index) =>
      written.get(`${level}/${index}`)?.hashes ?? (await tree.tile(level, index)),
  })
  return { tiles: [...written.values()], read }
}
