/** Brings together what a log knows of one exchange (protocol/README.md §12.6). */
import { parseCheckpoint } from '../../protocol/checkpoint.ts'
import { parsePolicy, judgeCosignatures } from '../../protocol/tlog-policy.ts'
import { formatTlogProof } from '../../protocol/tlog-proof.ts'
import { inclusionProof } from '../../protocol/merkle-tree.ts'
import type { Clock } from '../../runtime/clock.ts'
import { commitmentOf, recordText, type Side, type StoredRecord } from '../record.ts'
import type { LogStamp, StampStore } from '../stamp-store.ts'
import { tileReader } from '../tree-reader.ts'
import type { StoredCheckpoint, TreeStore } from '../tree-store.ts'
import { stampChain } from './chains.ts'
import { EvidenceSourceError, type Evidence, type EvidenceRecord } from './evidence.ts'
import { proofFile, FILE, type Absence } from './layout.ts'
import { findRun, isErasedBy, type RunSources } from './run.ts'
import { messageOf, type GatheredMessage, type MessageSources } from './messages.ts'

export interface EvidenceSources extends MessageSources {
  readonly records: RunSources
  readonly tree: Pick<TreeStore, 'tile' | 'checkpoint' | 'covering' | 'head'>
  readonly stamps: Pick<StampStore, 'covering' | 'last'>
  /** C2SP tlog-policy that has this log and its witnesses. */
  readonly policy: () => string
  /** Of this gateway's log. */
  readonly origin: string
  readonly clock: Clock
}

/**
 * @param side which of this gateway's records, when it had both roles; else those there are.
 * @returns undefined when the log has no such exchange.
 * @throws EvidenceSourceError when a record was altered; errors of the stores.
 */
export async function gatherEvidence(
  exchangeId: string,
  side: Side | undefined,
  sources: EvidenceSources,
): Promise<Evidence | undefined> {
  const found = await findRun(exchangeId, side, sources.records)
  if (found === undefined) return undefined
  const { all, run } = found
  const first = run.values().next().value!
  for (const record of run.values()) checkCommitment(record)
  const newest = Math.max(...[...run.values()].map(({ position }) => position))
  const policy = sources.policy()
  const { checkpoint, stamp } = await chooseCheckpoint(newest, policy, sources)
  const note = checkpoint && noteOf(checkpoint)
  const absent: Absence[] = absentProofs(newest, policy, { checkpoint, stamp })

  const records: EvidenceRecord[] = []
  for (const [part, record] of run) {
    const proof = checkpoint && (await proofOf(record, checkpoint, sources))
    if (proof === undefined) {
      absent.push(missing(proofFile(part), `no checkpoint covers position ${record.position} yet`))
    }
    records.push({ part, record, proof })
  }
  const messages: GatheredMessage[] = []
  for (const part of ['request', 'response'] as const) {
    const record = run.get(part)
    if (record?.manifest === undefined) continue
    const isErased = isErasedBy(run, record.position)
    const { manifest } = record
    const message = await messageOf(part, { ...record, manifest, isErased }, sources)
    absent.push(...message.absent)
    messages.push(message)
  }
  const stampers = stamp && (await stampChain('time-stamp', stamp.token, sources))
  absent.push(...(stampers?.absent ?? []))
  const chains = [
    ...messages.flatMap((message) => message.chains),
    ...(stampers?.chain ? [stampers.chain] : []),
  ]
  const chosen = new Set([...run.values()].map(({ position }) => position))
  return {
    description: {
      version: 1,
      exchangeId,
      origin: sources.origin,
      side: first.side ?? 'client',
      ...(first.client === undefined ? {} : { client: first.client }),
      ...(first.service === undefined ? {} : { service: first.service }),
      ...(first.peer === undefined ? {} : { peer: first.peer }),
      madeAt: sources.clock().toISOString(),
      records: records.map(({ part, record: { position, at, recordedAt, kept } }) => ({
        part,
        position,
        at: at.toISOString(),
        recordedAt: recordedAt.toISOString(),
        ...(kept === undefined ? {} : { kept }),
      })),
      ...(checkpoint === undefined ? {} : { checkpoint: describe(checkpoint) }),
      ...(stamp === undefined
        ? {}
        : {
            timeStamp: {
              authority: stamp.authority,
              genTime: stamp.genTime.toISOString(),
              serial: stamp.serial,
            },
          }),
      jades: Object.fromEntries(messages.map(({ part, level }) => [part, level])),
      absent,
      others: all
        .filter(({ position }) => !chosen.has(position))
        .map(({ position, kind, side: role, at }) => ({
          position,
          kind,
          ...(role === undefined ? {} : { side: role }),
          at: at.toISOString(),
        })),
    },
    records,
    messages,
    chains,
    checkpoint,
    checkpointNote: note,
    stamp,
    policy,
    absent,
  }
}

/** What no checkpoint, witness or time-stamping authority has come to yet; undefined when there is no such exchange. */
export async function pendingProofs(
  exchangeId: string,
  side: Side | undefined,
  sources: Pick<EvidenceSources, 'records' | 'tree' | 'stamps' | 'policy'>,
): Promise<Absence[] | undefined> {
  const found = await findRun(exchangeId, side, sources.records)
  if (found === undefined) return undefined
  const { run } = found
  const newest = Math.max(...[...run.values()].map(({ position }) => position))
  const policy = sources.policy()
  return absentProofs(newest, policy, await chooseCheckpoint(newest, policy, sources))
}

const missing = (what: string, detail: string): Absence => ({ what, reason: 'missing', detail })

function checkCommitment(record: StoredRecord): void {
  const { position, salt, commitment, ...said } = record
  if (commitmentOf(salt, recordText(said)).equals(commitment)) return
  throw new EvidenceSourceError(`the record at position ${position} is not the one committed to`)
}

interface Covering {
  readonly checkpoint: StoredCheckpoint | undefined
  readonly stamp: LogStamp | undefined
}

/**
 * One checkpoint for everything: the first one that has a time-stamp, so that the time is near; the newest stamped
 * one when the witnesses of that first one do not suffice; without time-stamp the first that covers.
 */
async function chooseCheckpoint(
  position: number,
  policy: string,
  { tree, stamps }: Pick<EvidenceSources, 'tree' | 'stamps'>,
): Promise<Covering> {
  const stamped: Covering[] = []
  for (const stamp of [await stamps.covering(position), await stamps.last()]) {
    if (stamp === undefined || stamp.size < position) continue
    const checkpoint = await tree.checkpoint(stamp.size)
    if (checkpoint !== undefined) stamped.push({ checkpoint, stamp })
  }
  const enough = stamped.find(({ checkpoint }) => checkpoint && isWitnessed(checkpoint, policy))
  if (enough ?? stamped[0]) return (enough ?? stamped[0])!
  const checkpoint =
    (await tree.covering(position, { witnessed: true })) ?? (await tree.covering(position))
  return { checkpoint, stamp: undefined }
}

function noteOf({ note, cosignatures }: StoredCheckpoint): string {
  return note + cosignatures.map((line) => `${line}\n`).join('')
}

function isWitnessed(checkpoint: StoredCheckpoint, policy: string): boolean {
  return judgeCosignatures(parseCheckpoint(noteOf(checkpoint)), parsePolicy(policy)).isEnough
}

function absentProofs(
  position: number,
  policy: string,
  { checkpoint, stamp }: Covering,
): Absence[] {
  if (checkpoint === undefined) {
    return [
      missing(FILE.checkpoint, `no checkpoint covers position ${position} yet`),
      missing(FILE.timeStamp, `no time-stamp covers position ${position} yet`),
    ]
  }
  const since = `since ${checkpoint.at.toISOString()}, when the checkpoint of ${checkpoint.size} was made`
  return [
    ...(isWitnessed(checkpoint, policy)
      ? []
      : [missing('cosignatures', `fewer witnesses cosigned than the policy asks for, ${since}`)]),
    ...(stamp ? [] : [missing(FILE.timeStamp, `no authority has stamped it, ${since}`)]),
  ]
}

async function proofOf(
  { position }: StoredRecord,
  checkpoint: StoredCheckpoint,
  { tree }: EvidenceSources,
): Promise<string> {
  const index = position - 1
  const inclusion = await inclusionProof(index, checkpoint.size, tileReader(tree))
  return formatTlogProof({ index, inclusion, checkpoint: noteOf(checkpoint) })
}

function describe({ size, at, witnessedAt }: StoredCheckpoint) {
  const witnessed = witnessedAt ? { witnessedAt: witnessedAt.toISOString() } : {}
  return { size, at: at.toISOString(), ...witnessed }
}
