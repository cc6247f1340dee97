import { checkpointText, type Checkpoint } from '../../protocol/checkpoint.ts'
import type { Certificate } from '../../pki/certificate.ts'
import type { LogStamp } from '../stamp-store.ts'
import { checkCheckpoint, type CheckpointTrust } from './checkpoint-check.ts'
import type { Report } from './finding.ts'
import type { LogSource } from './source.ts'
import { checkStamp } from './stamp-check.ts'
import type { Mark } from './tree-check.ts'

export interface MarkOptions extends CheckpointTrust {
  /** Checkpoints from outside, signed by the log's key. */
  readonly foreign: readonly Checkpoint[]
  /** Of time-stamping authorities. */
  readonly anchors: readonly Certificate[] | undefined
  readonly report: Report
  readonly onStamp: (stamp: LogStamp) => void
  readonly onCheckpoint: (size: number, isWitnessed: boolean | undefined) => void
}

const PAGE = 500

/** Everything that says what the tree was at some size, from a size on, in their order. */
export async function* marksOf(
  source: Pick<LogSource, 'tree' | 'stamps'>,
  from: number,
  options: MarkOptions,
): AsyncGenerator<Mark, undefined> {
  const foreign = options.foreign
    .filter(({ size }) => size >= from)
    .sort((a, b) => a.size - b.size)
    .map((checkpoint) => foreignMark(checkpoint))
  const streams = [
    ownMarks(source, from, options),
    foreign[Symbol.iterator](),
    stampMarks(source, from, options),
  ]
  const heads = await Promise.all(streams.map(async (stream) => stream.next()))
  for (;;) {
    let first = -1
    heads.forEach((head, i) => {
      if (head.done !== true && (first < 0 || head.value.size < sizeOf(heads[first]))) first = i
    })
    const head = heads[first]
    if (head === undefined || head.done === true) return undefined
    yield head.value
    heads[first] = await streams[first]!.next()
  }
}

const sizeOf = (head: IteratorResult<Mark, undefined> | undefined): number =>
  head === undefined || head.done === true ? Infinity : head.value.size

async function* ownMarks(
  { tree }: Pick<LogSource, 'tree'>,
  from: number,
  options: MarkOptions,
): AsyncGenerator<Mark, undefined> {
  let after = from - 1
  for (;;) {
    const page = await tree.checkpoints(after, PAGE)
    for (const stored of page) {
      const trusted = checkCheckpoint(stored, options, options.report)
      if (trusted === undefined) continue
      const { size, rootHash, isWitnessed } = trusted
      const met = (): void => options.onCheckpoint(size, isWitnessed)
      yield { size, root: rootHash, isForeign: false, name: `the checkpoint of ${size}`, met }
    }
    const last = page.at(-1)
    if (last === undefined) return undefined
    after = last.size
  }
}

function foreignMark({ size, rootHash }: Checkpoint): Mark {
  return { size, root: rootHash, isForeign: true, name: `the given checkpoint of ${size}` }
}

async function* stampMarks(
  { stamps }: Pick<LogSource, 'stamps'>,
  from: number,
  { logKey, anchors, report, onStamp }: MarkOptions,
): AsyncGenerator<Mark, undefined> {
  let stamp = await stamps.covering(from)
  while (stamp !== undefined) {
    const found = stamp
    const { size } = found
    const met = (rootHash: Buffer): void => {
      const text = checkpointText({ origin: logKey.name, size, rootHash })
      checkStamp(found, text, anchors, report)
      onStamp(found)
    }
    yield { size, root: undefined, isForeign: false, name: `the time-stamp over ${size}`, met }
    stamp = await stamps.covering(size + 1)
  }
  return undefined
}
