/** A witness of transparency logs (C2SP tlog-witness), cosigning by Ed25519 (C2SP tlog-cosignature). */
import type { KeyObject } from 'node:crypto'
import { cosign, type Checkpoint } from '../protocol/checkpoint.ts'
import { EMPTY_ROOT, MerkleError, verifyConsistency } from '../protocol/merkle-tree.ts'
import {
  formatNote,
  formatSignatureLine,
  isBy,
  NoteError,
  verifyNote,
  type NoteSignature,
  type NoteVerifier,
} from '../protocol/signed-note.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { EmptyTreeError, parseSubmission, type Submission } from './submission.ts'
import type { KeptCheckpoint, KeptRefusal, RefusalKind, WitnessState } from './witness-state.ts'

export interface WitnessKey {
  /** Its name is the witness's; type 04. */
  readonly verifier: NoteVerifier
  readonly privateKey: KeyObject
}

/** As HTTP knows it; the text ends with a newline. */
export interface WitnessAnswer {
  readonly status: 200 | 400 | 403 | 404 | 409 | 422
  readonly type: 'text/plain; charset=utf-8' | 'text/x.tlog.size'
  readonly text: string
}

export interface Witness {
  readonly verifier: NoteVerifier
  /**
   * Judges a submission. What is cosigned is durable before this resolves.
   *
   * @param body of the request, set by anybody.
   * @throws what the state threw when it could not be written: nothing was cosigned then, as far as anybody knows.
   */
  addCheckpoint(body: string): Promise<WitnessAnswer>
  /** The checkpoint that was cosigned last, with signatures of log and witness. @param originHash SHA-256 in hex. */
  checkpoint(originHash: string): string | undefined
  /** For people. */
  describe(): WitnessHealth
}
export interface WitnessHealth {
  readonly name: string
  readonly logs: readonly { readonly origin: string; readonly size: number; readonly at: Date }[]
  /** Refusals that stand: forks, and logs that have not gone on since. */
  readonly misbehaving: readonly Pick<KeptRefusal, 'origin' | 'kind' | 'at'>[]
  readonly refused: Readonly<Record<RefusalKind, number>>
}

export interface WitnessOptions {
  readonly key: WitnessKey
  readonly state: WitnessState
  /** The keys of a log that is served; empty: it is not. */
  readonly keysOf: (origin: string) => readonly NoteVerifier[]
  readonly clock: Clock
  readonly logger: Logger
  /** Submissions that come within this time share one write to the disk. */
  readonly gatherMs?: number
}

const GATHER_MS = 10
const TEXT = 'text/plain; charset=utf-8'

interface Waiting {
  readonly submission: Submission
  readonly signatures: readonly NoteSignature[]
  readonly resolve: (answer: WitnessAnswer) => void
  readonly reject: (error: unknown) => void
}

export function createWitness(options: WitnessOptions): Witness {
  const { key, state, keysOf, gatherMs = GATHER_MS } = options
  let waiting: Waiting[] = []

  const judgeAll = (): void => {
    const all = waiting
    waiting = []
    try {
      const answers = state.transaction(() =>
        all.map(({ submission, signatures }) => judge(submission, signatures, options)),
      )
      all.forEach(({ resolve }, i) => resolve(answers[i]!))
    } catch (error) {
      for (const { reject } of all) reject(error)
    }
  }
  return {
    verifier: key.verifier,
    addCheckpoint: (body) => {
      const read = readVerified(body, keysOf)
      if ('status' in read) return Promise.resolve(read)
      return new Promise((resolve, reject) => {
        if (waiting.length === 0) setTimeout(judgeAll, gatherMs)
        waiting.push({ ...read, resolve, reject })
      })
    },
    checkpoint: (originHash) => state.latestByHash(originHash)?.note,
    describe: () => ({
      name: key.verifier.name,
      logs: state.origins(),
      misbehaving: state
        .refusals()
        .filter(({ isOpen }) => isOpen)
        .map(({ origin, kind, at }) => ({ origin, kind, at })),
      refused: state.countRefusals(),
    }),
  }
}

/** Everything that can be judged without the state. */
function readVerified(
  body: string,
  keysOf: WitnessOptions['keysOf'],
): WitnessAnswer | Pick<Waiting, 'submission' | 'signatures'> {
  let submission: Submission
  try {
    submission = parseSubmission(body)
  } catch (error) {
    if (!(error instanceof NoteError)) throw error
    return refuse(error instanceof EmptyTreeError ? 422 : 400, error.message)
  }
  const { oldSize, checkpoint } = submission
  const { origin, size, note } = checkpoint
  const keys = keysOf(origin)
  if (keys.length === 0) return refuse(404, 'this log is not one that this witness serves')
  try {
    const signers = verifyNote(note, keys)
    if (oldSize > size) return refuse(400, 'the old size is larger than the checkpoint')
    const signatures = note.signatures.filter((one) => signers.some((signer) => isBy(one, signer)))
    return { submission, signatures }
  } catch (error) {
    if (error instanceof NoteError) return refuse(403, error.message)
    throw error
  }
}

/** Looks and writes; runs inside of a transaction. */
function judge(
  { oldSize, proof, checkpoint }: Submission,
  signatures: readonly NoteSignature[],
  options: WitnessOptions,
): WitnessAnswer {
  const { key, state, clock } = options
  const { origin, size, rootHash, note } = checkpoint
  const latest = state.latest(origin)
  const refuseAs = (kind: RefusalKind, cosigned: KeptCheckpoint): void =>
    keepRefusal({ kind, checkpoint, signatures, cosigned }, options)

  const known = state.cosigned(origin, size)
  const isFork = known !== undefined && !known.rootHash.equals(rootHash)
  if (isFork) refuseAs('fork', known)
  if (oldSize !== (latest?.size ?? 0)) {
    // Two submissions may overtake each other; whether the log itself is behind shows in what it does next.
    if (latest !== undefined && size < latest.size && known === undefined)
      refuseAs('shrunk', latest)
    return { status: 409, type: 'text/x.tlog.size', text: `${latest?.size ?? 0}\n` }
  }
  try {
    const old = { size: oldSize, root: latest?.rootHash ?? EMPTY_ROOT }
    verifyConsistency(proof, old, { size, root: rootHash })
  } catch (error) {
    if (!(error instanceof MerkleError)) throw error
    if (!isFork && latest !== undefined) refuseAs('inconsistent', latest)
    return refuse(422, error.message)
  }
  const cosignature = cosign(note.text, key.verifier, key.privateKey, clock())
  const kept = formatNote(note.text, [...signatures, cosignature])
  state.keep(origin, { size, rootHash, note: kept }, clock())
  return { status: 200, type: TEXT, text: `${formatSignatureLine(cosignature)}\n` }
}

function keepRefusal(
  refused: {
    readonly kind: RefusalKind
    readonly checkpoint: Checkpoint
    readonly signatures: readonly NoteSignature[]
    readonly cosigned: KeptCheckpoint
  },
  { state, clock, logger }: WitnessOptions,
): void {
  const { kind, checkpoint, signatures, cosigned } = refused
  const { origin, size, rootHash, note } = checkpoint
  const isNew = state.keepRefusal({
    ...{ kind, origin, size, rootHash, at: clock() },
    refused: formatNote(note.text, signatures),
    cosigned: cosigned.note,
  })
  if (!isNew) return
  const line = { origin, kind, size, cosignedSize: cosigned.size }
  if (kind === 'shrunk') logger.warn(line, 'a log shows a smaller tree than it had shown')
  else if (kind === 'fork') logger.error(line, 'a log signed two trees of one size: kept as proof')
  else logger.error(line, 'a log does not show that its tree continues the one it had shown')
}

function refuse(status: 400 | 403 | 404 | 422, why: string): WitnessAnswer {
  return { status, type: TEXT, text: `${why}\n` }
}
