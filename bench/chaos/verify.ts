/** Whether a log holds what it must, computed from its records. */
import type { LogStores } from '../../exchange-log/open-log.ts'
import { readForeignCheckpoint } from '../../exchange-log/verify/checkpoint-check.ts'
import type { LogSource } from '../../exchange-log/verify/source.ts'
import { verifyLog as verifySource } from '../../exchange-log/verify/verify-log.ts'
import { commitmentOf, recordText } from '../../exchange-log/record.ts'
import { parseCheckpoint, type Checkpoint } from '../../protocol/checkpoint.ts'
import { EMPTY_RANGE, growRange, rangeRoot } from '../../protocol/compact-range.ts'
import { HASH_BYTES, leafHash, TILE_WIDTH } from '../../protocol/merkle-tree.ts'
import { NoteError, verifyNote, type NoteVerifier } from '../../protocol/signed-note.ts'

export interface LogUnderTest {
  readonly stores: Pick<LogStores, 'records' | 'tree'>
  readonly verifier: NoteVerifier
  /** Exchanges whose answer reached the client. */
  readonly answered: readonly string[]
  /** Checkpoints that somebody saw. */
  readonly seen: Iterable<string>
}
export interface Verified {
  readonly findings: string[]
  readonly records: number
  readonly checkpoints: number
}

const PAGE = 1000
/** More of one kind say nothing new. */
const MOST_FINDINGS = 20

/** @returns what is wrong, in sentences; nothing when all is as it must be. */
export async function verifyLog({
  stores,
  verifier,
  answered,
  seen,
}: LogUnderTest): Promise<Verified> {
  const findings: string[] = []
  const find = (finding: string): void => {
    if (findings.length < MOST_FINDINGS) findings.push(finding)
  }
  const checkpoints = await checkpointsOf(stores, verifier, seen, find)
  const kinds = new Map<string, string[]>(answered.map((id) => [id, []]))
  let range = EMPTY_RANGE
  let tile = Buffer.alloc(0)
  for (;;) {
    const page = await stores.records.after(range.size, PAGE)
    for (const record of page) {
      const { position, salt, commitment, ...rest } = record
      const next = range.size + 1
      if (position !== next) {
        find(`record ${next} is missing: ${position} follows ${next - 1}`)
        return { findings, records: range.size, checkpoints: checkpoints.size }
      }
      if (!commitmentOf(salt, recordText(rest)).equals(commitment)) {
        find(`record ${position} (${rest.exchangeId}) is another than it commits to`)
      }
      const leaf = leafHash(commitment)
      const place = (position - 1) % TILE_WIDTH
      if (place === 0) {
        const index = (position - 1) / TILE_WIDTH
        tile = Buffer.from((await stores.tree.tile(0, index)) ?? Buffer.alloc(0))
      }
      if (!tile.subarray(place * HASH_BYTES, (place + 1) * HASH_BYTES).equals(leaf)) {
        find(`record ${position} (${rest.exchangeId}) is not the one in its tile`)
      }
      range = growRange(range, [leaf])
      const root = rangeRoot(range)
      for (const { rootHash } of checkpoints.get(position) ?? []) {
        if (!rootHash.equals(root)) find(`the checkpoint of ${position} is not of these records`)
      }
      checkpoints.delete(position)
      if (rest.manifest !== undefined) kinds.get(rest.exchangeId)?.push(rest.kind)
    }
    if (page.length < PAGE) break
  }
  for (const size of checkpoints.keys())
    find(`there is a checkpoint of ${size}, and ${range.size} records`)
  const head = await stores.tree.head()
  if ((head?.size ?? 0) !== range.size) find(`${range.size} records, and ${head?.size} in the tree`)
  for (const [id, found] of kinds) {
    if (found.join() !== 'request,response') {
      find(`exchange ${id} was answered, and its manifests here are: ${found.join() || 'none'}`)
    }
  }
  return { findings, records: range.size, checkpoints: checkpoints.size }
}

/** The same log as `spean log verify --signatures --all --checkpoint …` judges it. */
export async function verifyAsCommand(
  source: LogSource,
  verifier: NoteVerifier,
  seen: Iterable<string>,
): Promise<Pick<Verified, 'findings' | 'records'>> {
  const foreign = [...seen].map((text) => readForeignCheckpoint(text, verifier))
  const options = { logKey: verifier, all: true, signatures: true, foreign }
  const { findings, records } = await verifySource(source, options)
  const shown = findings.slice(0, MOST_FINDINGS)
  return {
    findings: shown.map(({ code, position, detail }) => `${code} at ${position}: ${detail}`),
    records,
  }
}

/** Those in the store and those that were seen, each signed; by size. */
async function checkpointsOf(
  { tree }: LogUnderTest['stores'],
  verifier: NoteVerifier,
  seen: Iterable<string>,
  find: (finding: string) => void,
): Promise<Map<number, Checkpoint[]>> {
  const bySize = new Map<number, Checkpoint[]>()
  const add = (text: string, whose: string): void => {
    try {
      const checkpoint = parseCheckpoint(text)
      verifyNote(checkpoint.note, [verifier])
      const { origin, size } = checkpoint
      if (origin !== verifier.name) find(`${whose}: a checkpoint of ${origin}`)
      bySize.set(size, [...(bySize.get(size) ?? []), checkpoint])
    } catch (error) {
      if (!(error instanceof NoteError)) throw error
      find(`${whose}: ${error.message}`)
    }
  }
  for (const text of seen) add(text, 'a checkpoint that was seen')
  for (let size = 0; ;) {
    const page = await tree.checkpoints(size, PAGE)
    for (const { note, size: own } of page) add(note, `the stored checkpoint of ${own}`)
    const last = page.at(-1)
    if (last === undefined) return bySize
    size = last.size
  }
}
