import { ExchangeError } from '../../protocol/errors.ts'
import { HASH_BYTES, leafHash, parseTilePath, TILE_WIDTH } from '../../protocol/merkle-tree.ts'
import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import type { TreeStore } from '../../exchange-log/tree-store.ts'
import type { ApiReply } from '../../runtime/admin-api.ts'
import { media } from '../../runtime/route-description.ts'
import type { Clock } from '../../runtime/clock.ts'
import { createServedCheckpoint } from '../transparency/served-checkpoint.ts'
import type { PublicRoute } from './transparency-server.ts'

interface Deps {
  readonly tree: Pick<TreeStore, 'head' | 'witnessedHead' | 'covering' | 'tile'>
  readonly records: Pick<ExchangeLogStore, 'commitments' | 'extent'>
  readonly clock: Clock
}

/** A gateway's log as C2SP tlog-tiles lays it out, below `/log`: for anybody, and telling nobody anything. */
export function createTreeRoutes({ tree, records, clock }: Deps): PublicRoute[] {
  const checkpoint = createServedCheckpoint(tree, clock)
  return [
    {
      method: 'GET',
      path: '/log/checkpoint',
      access: 'public',
      about: {
        summary: 'The newest checkpoint of the log',
        details: 'A signed note (C2SP tlog-checkpoint).',
        answers: { 200: media('text/plain') },
        refusals: ['request.route-unknown'],
      },
      handle: async () => {
        const served = await checkpoint()
        if (served === undefined) throw notServed('the log has no checkpoint yet')
        const cosignatures = served.cosignatures.map((line) => `${line}\n`).join('')
        return {
          headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-cache' },
          body: served.note + cosignatures,
        }
      },
    },
    {
      method: 'GET',
      path: '/log/tile/*path',
      access: 'public',
      about: {
        summary: 'A tile of the tree of the log',
        details: 'C2SP tlog-tiles.',
        answers: { 200: media('application/octet-stream') },
        refusals: ['request.route-unknown'],
      },
      handle: async ({ params }) => {
        const path = `tile/${params.path}`
        const wanted = parseTilePath(path)
        if (wanted === undefined) throw notServed(`${path} is not the path of a tile`)
        const { level, index, width } = wanted
        const tile = await tree.tile(level === 'entries' ? 0 : level, index)
        // A tile grows in one transaction with a checkpoint: what is not there was not published.
        if (tile === undefined || tile.length < width * HASH_BYTES) {
          throw notServed(`${path} is not there, or not that wide yet`)
        }
        const hashes = tile.subarray(0, width * HASH_BYTES)
        return level === 'entries'
          ? immutable(await entryBundle(records, { index, width, hashes }))
          : immutable(hashes)
      },
    },
  ]
}

/** The commitments of a tile, each after its length (tlog-tiles, "Log entries"). */
async function entryBundle(
  records: Deps['records'],
  { index, width, hashes }: { index: number; width: number; hashes: Buffer },
): Promise<Buffer> {
  const before = index * TILE_WIDTH
  const { first } = await records.extent()
  if (before + 1 < first) throw notServed(`the entries before ${first - 1} are archived`)
  const entries = await records.commitments(before, width)
  const isWhole =
    entries.length === width &&
    entries.every((entry, i) =>
      leafHash(entry).equals(hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)),
    )
  if (!isWhole) {
    throw new ExchangeError('internal', `the records from ${before + 1} on do not fit the tree`)
  }
  const length = Buffer.alloc(2)
  length.writeUInt16BE(HASH_BYTES)
  return Buffer.concat(entries.flatMap((entry) => [length, entry]))
}

function immutable(body: Buffer): ApiReply {
  return {
    headers: {
      'content-type': 'application/octet-stream',
      'cache-control': 'public, max-age=31536000, immutable',
    },
    body,
  }
}

function notServed(detail: string): ExchangeError {
  return new ExchangeError('request.route-unknown', detail)
}
