/** Verifies a log as a whole, or a range of it, from its files alone. */
import { setImmediate } from 'node:timers/promises'
import type { Checkpoint } from '../../protocol/checkpoint.ts'
import { TILE_WIDTH } from '../../protocol/merkle-tree.ts'
import type { NoteVerifier } from '../../protocol/signed-note.ts'
import type { TlogPolicy } from '../../protocol/tlog-policy.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { checkCheckpoint } from './checkpoint-check.ts'
import { CHUNK, checkChunk, type ChunkContext } from './chunk-check.ts'
import { checkContents } from './content-check.ts'
import type { Finding, Report } from './finding.ts'
import { createGaps } from './gaps.ts'
import { createLeafCheck, missingFinding } from './leaf-check.ts'
import { createManifestCheck } from './manifest-check.ts'
import { marksOf } from './marks.ts'
import { UnreadableRecordError, type CheckedRecord, type LogSource } from './source.ts'
import { stampedSizes } from './stamp-check.ts'
import { createTimeCheck } from './times.ts'
import { createTreeCheck, type TreeCheck } from './tree-check.ts'

export interface VerifyOptions {
  /** The key that signs this log's checkpoints; its name is the log's origin. */
  readonly logKey: NoteVerifier
  /** With it cosignatures are checked. */
  readonly policy?: TlogPolicy | undefined
  /** With them it is checked whose time-stamps they are. */
  readonly anchors?: readonly Certificate[] | undefined
  /** Checkpoints that others kept: a log that was cut or written anew does not lead to them. */
  readonly foreign?: readonly Checkpoint[]
  /** First and last position to look at; all when absent. */
  readonly from?: number | undefined
  readonly to?: number | undefined
  /** Goes on after the first finding. */
  readonly all?: boolean
  /** The tree may have more than the records that are looked at: an archive. */
  readonly isExcerpt?: boolean
  /** Verifies the signature of each manifest. */
  readonly signatures?: boolean
  /** Does more with each record that is in its place. */
  readonly inspect?: (record: CheckedRecord, report: Report) => Promise<void>
  /** Records of a later time are post-dated. Default: now. */
  readonly now?: Date
  readonly signal?: AbortSignal
  readonly onProgress?: (progress: VerifyProgress) => void
}
export interface VerifyProgress {
  /** Records looked at, and those there are to look at. */
  readonly done: number
  readonly total: number
  readonly findings: number
}
export interface VerifyResult {
  /** In the order of positions; one at most, unless all were asked for. */
  readonly findings: readonly Finding[]
  readonly from: number
  /** Last position that was looked at. */
  readonly to: number
  readonly records: number
  readonly treeSize: number
  /** Manifests whose signature was verified. */
  readonly signatures: number
  readonly checkpoints: number
  readonly stamps: number
  /** Records up to it are covered by the newest time-stamp; 0: none is. */
  readonly stampedUpTo: number
  /** By enough cosignatures; undefined without a policy. */
  readonly witnessedUpTo: number | undefined
  /** Whether it was stopped before its end. */
  readonly isStopped: boolean
}

/** Verifies. What is wrong with the log is in the result; what is wrong with the disk is thrown. */
export async function verifyLog(source: LogSource, options: VerifyOptions): Promise<VerifyResult> {
  const { all = false, signal, onProgress } = options
  const found: Finding[] = []
  const report: Report = (finding) => void found.push(finding)
  const context = await begin(source, options, report)
  const { tree, gaps, from, to, counts } = context
  const manifests = createManifestCheck(source.validation, report)
  const isDone = (): boolean =>
    signal?.aborted === true || (!all && (found.length > 0 || gaps.isOpen))
  const timeCheck = createTimeCheck(await stampedSizes(source.stamps), options.now ?? new Date())
  const checkTimes = (records: readonly CheckedRecord[]): void => {
    for (const { position, exchangeId, recordedAt } of records) {
      const finding = timeCheck(position, recordedAt)
      if (finding === undefined) continue
      // What was found altered already needs no second reason.
      if (found.some((one) => one.position === position)) continue
      report({ code: finding.code, position, exchangeId, detail: finding.detail })
    }
  }
  let reached = from - 1

  const step = async (base: number): Promise<void> => {
    const { records, leaves } = await checkChunk(context, base, { from: reached + 1, to })
    await checkContents(records, source.records, report)
    checkTimes(records)
    if (options.signatures === true) for (const record of records) await manifests.check(record)
    if (options.inspect) for (const record of records) await options.inspect(record, report)
    await tree.advance(base, leaves)
    counts.records += records.length
    reached = Math.min(base + CHUNK, to)
    await tellProgress()
  }
  const tellProgress = async (): Promise<void> => {
    onProgress?.({ done: reached - from + 1, total: to - from + 1, findings: found.length })
    await setImmediate() // signals are heard
  }
  try {
    const first = wholeTiles(from - 1)
    await tree.skipTo(Math.min(first, wholeTiles(context.signed.size)))
    for (let base = first; base < to && !isDone(); base += CHUNK) {
      await step(base)
      const empty = await countEmpty(context, reached)
      if (empty < CHUNK) continue
      gaps.add(reached + 1, reached + empty)
      reached += empty
      base = wholeTiles(reached) - CHUNK
      await tellProgress()
    }
    gaps.close()
    if (!isDone()) {
      await reportBeginning(source, report)
      if (to === context.last && options.isExcerpt !== true) reportEnd(context, options, report)
      await goToEnd(context, source)
    }
  } catch (error) {
    if (!(error instanceof UnreadableRecordError)) throw error
    gaps.close()
    report({ code: 'record.unreadable', position: error.position, detail: error.message })
  }
  const findings = found.sort((a, b) => (a.position ?? Infinity) - (b.position ?? Infinity))
  return {
    findings: all ? findings : findings.slice(0, 1),
    ...{ from, to: reached, treeSize: context.signed.size, signatures: manifests.count },
    ...counts,
    witnessedUpTo: options.policy && counts.witnessedUpTo,
    isStopped: signal?.aborted === true,
  }
}

interface Context extends ChunkContext {
  readonly tree: TreeCheck
  /** The range to look at. */
  readonly from: number
  readonly to: number
  /** Last position that was given. */
  readonly last: number
  readonly lastStamped: number
  readonly counts: {
    records: number
    checkpoints: number
    stamps: number
    stampedUpTo: number
    witnessedUpTo: number
  }
}

async function begin(source: LogSource, options: VerifyOptions, report: Report): Promise<Context> {
  const { logKey, policy, anchors, foreign = [] } = options
  // In this order, so that of a log that grows meanwhile nothing is ahead of what it rests on.
  const lastStamp = await source.stamps.last()
  const head = await source.tree.head()
  const extent = await source.records.extent()
  const trusted = head && checkCheckpoint(head, { logKey, policy: undefined }, () => undefined)
  const signed = { size: head?.size ?? 0, rootHash: trusted?.rootHash }
  const from = Math.max(extent.first, options.from ?? 1)
  const counts = { records: 0, checkpoints: 0, stamps: 0, stampedUpTo: 0, witnessedUpTo: 0 }
  const marks = marksOf(source, wholeTiles(Math.min(from - 1, signed.size)), {
    ...{ logKey, policy, foreign, anchors, report },
    onStamp: ({ size }) => {
      counts.stamps += 1
      counts.stampedUpTo = size
    },
    onCheckpoint: (size, isWitnessed) => {
      counts.checkpoints += 1
      if (isWitnessed === true) counts.witnessedUpTo = size
    },
  })
  return {
    source,
    signed,
    leafCheck: createLeafCheck(report),
    gaps: createGaps(report),
    report,
    tree: createTreeCheck(source.tree, { treeSize: signed.size, marks, report }),
    from,
    to: Math.min(extent.last, options.to ?? Infinity),
    last: extent.last,
    lastStamped: lastStamp?.size ?? 0,
    counts,
  }
}

/** From the range to the end of the tree, by way of the time-stamp that covers the range. */
async function goToEnd({ tree, signed, to }: Context, source: LogSource): Promise<void> {
  const stamp = await source.stamps.covering(to)
  if (stamp !== undefined && stamp.size < signed.size) await tree.skipTo(stamp.size)
  await tree.skipTo(signed.size)
  tree.end()
}

/** The first records may be in archives; the log says so. */
async function reportBeginning({ records }: LogSource, report: Report): Promise<void> {
  const lowest = (await records.next(Number.MIN_SAFE_INTEGER)) ?? 1
  if (lowest < 1) {
    const detail = 'no log gives such a position'
    report({ code: 'record.inserted', position: lowest, detail })
  }
  const { first } = await records.extent()
  const archived = await records.archivedUpTo()
  if (first - 1 <= archived) return
  report(missingFinding(archived + 1, first - 1 - archived, 'no archive is recorded that has them'))
}

/**
 * Behind the tree, positions of which there is nothing: a log can be made to say that it gave very many, which are not
 * gone over one by one.
 */
async function countEmpty({ source, signed, to }: Context, reached: number): Promise<number> {
  const isTree = signed.rootHash !== undefined && reached < signed.size
  if (isTree || reached >= to) return 0
  const next = (await source.records.next(reached)) ?? Infinity
  return Math.min(next - 1, to) - reached
}

/** Records of which somebody knows, and which are not there. */
function reportEnd(
  { last, leafCheck, signed, lastStamped }: Context,
  { foreign = [] }: VerifyOptions,
  report: Report,
): void {
  const end = last + leafCheck.shift
  const known = [
    { size: signed.size, by: 'the tree has them' },
    { size: lastStamped, by: 'a time-stamp covers them' },
    ...foreign.map(({ size }) => ({ size, by: 'a given checkpoint covers them' })),
  ].reduce((most, one) => (one.size > most.size ? one : most))
  if (known.size > end) report(missingFinding(end + 1, known.size - end, known.by))
}

const wholeTiles = (leaves: number): number => Math.floor(leaves / TILE_WIDTH) * TILE_WIDTH
