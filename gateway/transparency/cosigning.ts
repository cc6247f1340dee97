/** Gets the checkpoints of our log cosigned, beside the traffic: no exchange waits for it. */
import { verifyCosignature, parseCheckpoint } from '../../protocol/checkpoint.ts'
import { consistencyProof } from '../../protocol/merkle-tree.ts'
import {
  isBy,
  NoteError,
  parseSignatureLine,
  type NoteVerifier,
} from '../../protocol/signed-note.ts'
import {
  judgeCosignatures,
  type PolicyWitness,
  type TlogPolicy,
} from '../../protocol/tlog-policy.ts'
import { tileReader } from '../../exchange-log/tree-reader.ts'
import type { StoredCheckpoint, TreeStore } from '../../exchange-log/tree-store.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import { formatSubmission } from '../../witness/submission.ts'
import type { StoreGuard } from './store-guard.ts'
import { WitnessFault, type WitnessClient } from './witness-client.ts'

export interface CosigningHealth {
  /** `unwitnessed`: no policy asks for cosignatures; `late`: too few for too long. */
  readonly state: 'unwitnessed' | 'ok' | 'waiting' | 'late'
  /** Since when there is a checkpoint that has not enough. */
  readonly waitingSince: Date | undefined
  /** How long that is; a clock that is set back makes it no shorter. */
  readonly waitingMs: number
  /** Size of the newest checkpoint that has enough. */
  readonly witnessedSize: number | undefined
  readonly witnesses: readonly {
    readonly name: string
    readonly url: string | undefined
    /** Size of the newest checkpoint that it cosigned. */
    readonly size: number | undefined
    readonly fault: string | undefined
  }[]
}
export interface Cosigning extends AsyncDisposable {
  /** There is a new checkpoint: witnesses are asked at once. */
  wake(): void
  health(): CosigningHealth
}

export interface CosigningOptions {
  readonly tree: TreeStore
  /** This gateway's own key as a witness: nobody is asked to vouch for himself. */
  readonly own: NoteVerifier
  /** Of the newest snapshot. */
  readonly policy: () => TlogPolicy | undefined
  readonly client: WitnessClient
  readonly guard: StoreGuard
  readonly clock: Clock
  readonly logger: Logger
  /** How often it looks for a new checkpoint of which nobody told. */
  readonly intervalMs?: number
  /** Age of a checkpoint with too few cosignatures that is an alarm. */
  readonly lateMs?: number
  /** How long a witness is left alone after its first failure. */
  readonly backOffMs?: number
}

const INTERVAL_MS = 300
const LATE_MS = 60_000
const BACK_OFF_MS = 1000
const LONGEST_BACK_OFF_MS = 60_000
/** In a row; a witness that says so more often lies, or is of no use. */
const MOST_OVERTAKEN = 10
/** How far a witness's clock may be ahead. */
const AHEAD_MS = 5 * 60_000

/** What is known of one witness. */
interface Progress {
  /** What it cosigned last, by its own verified word or by what it said. */
  size: number
  /** Of the last cosignature that we verified. */
  cosigned: number | undefined
  failures: number
  fault: string | undefined
  /** Not by the clock: one that is set back must leave nobody alone for an hour. */
  notBefore: number
  /** How often in a row it had seen a larger tree than it was asked about, and not a larger one each time. */
  overtaken: number
  /** The largest size that it said. */
  largest: number
  isBusy: boolean
}

export function startCosigning(options: CosigningOptions): Cosigning {
  const { tree, own, policy, guard, clock, logger, intervalMs = INTERVAL_MS } = options
  const { lateMs = LATE_MS, backOffMs = BACK_OFF_MS } = options
  const progress = new Map<string, Progress>()
  let waitingSince: Date | undefined
  let seenMs = 0
  let witnessedSize: number | undefined
  let isLate = false
  let closed = false
  let fault: string | undefined

  const asked = (): PolicyWitness[] => othersOf(policy(), own)
  const progressOf = (witness: PolicyWitness): Progress => {
    const key = `${witness.verifier.keyId.toString('hex')} ${witness.url}`
    const known = progress.get(key) ?? {
      ...{ size: 0, cosigned: undefined, failures: 0, fault: undefined, notBefore: 0 },
      ...{ overtaken: 0, largest: 0, isBusy: false },
    }
    progress.set(key, known)
    return known
  }

  const submit = async (witness: PolicyWitness, head: StoredCheckpoint): Promise<void> => {
    const state = progressOf(witness)
    state.isBusy = true
    try {
      const line = await cosignatureOf(witness, head, state, options)
      if (line === undefined) return // asked again about the next one
      await tree.addCosignatures(head.size, [line])
      state.cosigned = head.size
      state.failures = 0
      state.overtaken = 0
      if (state.fault !== undefined)
        logger.info({ witness: witness.name }, 'a witness cosigns again')
      state.fault = undefined
    } catch (error) {
      if (closed) return
      const text = error instanceof WitnessFault ? error.message : String(error)
      if (text !== state.fault) logger.warn({ witness: witness.name, err: error }, 'not cosigned')
      state.fault = text
      state.size = 0 // what it said last may have been a lie: it is asked anew
      state.overtaken = 0
      state.failures += 1
      const waitMs = Math.min(backOffMs * 2 ** (state.failures - 1), LONGEST_BACK_OFF_MS)
      state.notBefore = performance.now() + waitMs
    } finally {
      state.isBusy = false
    }
  }
  /** Marks the checkpoint once its cosignatures are enough. */
  const judge = async (size: number): Promise<boolean> => {
    const now = policy()
    const kept = await tree.checkpoint(size)
    if (now === undefined || kept === undefined) return false
    if (kept.witnessedAt !== undefined) return true
    const cosigned = kept.note + kept.cosignatures.map((line) => `${line}\n`).join('')
    if (!judgeCosignatures(parseCheckpoint(cosigned), now).isEnough) return false
    await tree.addCosignatures(size, [], clock())
    return true
  }
  const round = async (): Promise<void> => {
    const head = await tree.head()
    if (policy() === undefined || head === undefined || guard.rolledBack !== undefined) return
    recall(head, asked(), progressOf)
    const due = asked().filter((witness) => {
      const { cosigned, notBefore, isBusy } = progressOf(witness)
      return cosigned !== head.size && notBefore <= performance.now() && !isBusy
    })
    // All are asked about one checkpoint, or none would ever have enough; a slow one holds nobody up beyond that.
    const submissions = due.map((witness) => submit(witness, head))
    const enough = submissions.map(async (submission) => {
      await submission
      if (!(await judge(head.size))) throw new WitnessFault('not enough yet')
    })
    await Promise.any([...enough, Promise.all(submissions)]).catch(() => undefined)
    await judge(head.size)
    await noteAge(head)
  }
  const noteAge = async (head: StoredCheckpoint): Promise<void> => {
    const witnessed = await tree.witnessedHead()
    const hasMoved = witnessed?.size !== witnessedSize
    witnessedSize = witnessed?.size
    if ((witnessedSize ?? 0) >= head.size) waitingSince = undefined
    else {
      const [first = head] = await tree.checkpoints(witnessedSize ?? 0, 1)
      // Old checkpoints are thinned out: one that waits does not become younger by that.
      const isOlder = waitingSince === undefined || first.at < waitingSince
      if (hasMoved || isOlder) {
        waitingSince = first.at
        seenMs = performance.now()
      }
    }
    tellState()
  }
  const waitingMs = (): number =>
    waitingSince === undefined
      ? 0
      : Math.max(clock().getTime() - waitingSince.getTime(), performance.now() - seenMs)
  const stateNow = (): CosigningHealth['state'] => {
    const quorum = policy()?.quorum
    if (quorum === undefined || quorum === 'none') return 'unwitnessed'
    if (waitingSince === undefined) return 'ok'
    return waitingMs() >= lateMs ? 'late' : 'waiting'
  }
  const tellState = (): void => {
    const late = stateNow() === 'late'
    if (late === isLate) return
    isLate = late
    if (late)
      logger.warn({ waitingSince, witnessedSize }, 'the exchange log has too few cosignatures')
    else logger.info({ witnessedSize }, 'the exchange log has enough cosignatures again')
  }

  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined
  let isWoken = false
  const run = (): void => {
    clearTimeout(timer)
    isWoken = false
    running = round()
      .then(() => (fault = undefined))
      .catch((error: unknown) => {
        if (String(error) !== fault) logger.error({ err: error }, 'cosignatures cannot be kept')
        fault = String(error)
      })
      .finally(() => {
        running = undefined
        if (!closed) timer = setTimeout(run, isWoken ? 0 : intervalMs)
      })
  }
  run()
  return {
    wake: () => {
      isWoken = true
      if (running === undefined && !closed) run()
    },
    health: () => ({
      state: stateNow(),
      waitingSince,
      waitingMs: waitingMs(),
      witnessedSize,
      witnesses: asked().map((witness) => {
        const { cosigned, fault } = progressOf(witness)
        return { name: witness.name, url: witness.url, size: cosigned, fault }
      }),
    }),
    [Symbol.asyncDispose]: async () => {
      closed = true
      clearTimeout(timer)
      await options.client[Symbol.asyncDispose]()
      await running
    },
  }
}

/** Who can be asked: witnesses with an address, but for the one with our `own` key. */
export function othersOf(policy: TlogPolicy | undefined, own: NoteVerifier): PolicyWitness[] {
  return (policy?.witnesses ?? []).filter(
    ({ url, verifier }) => url !== undefined && !verifier.publicKey.equals(own.publicKey),
  )
}

/** After a start, who cosigned already is not asked again about the same checkpoint. */
function recall(
  head: StoredCheckpoint,
  witnesses: readonly PolicyWitness[],
  progressOf: (witness: PolicyWitness) => Progress,
): void {
  if (head.cosignatures.length === 0) return
  const signatures = head.cosignatures.map(parseSignatureLine)
  for (const witness of witnesses) {
    const state = progressOf(witness)
    if (state.cosigned !== undefined) continue
    if (!signatures.some((signature) => isBy(signature, witness.verifier))) continue
    state.cosigned = head.size
    state.size = head.size
  }
}

/**
 * A verified cosignature of `head`; undefined when the witness had a newer one of ours from another replica.
 *
 * @throws WitnessFault saying why there is none.
 */
async function cosignatureOf(
  witness: PolicyWitness,
  head: StoredCheckpoint,
  state: Progress,
  { tree, client, guard, clock }: CosigningOptions,
): Promise<string | undefined> {
  const fault = (why: string): WitnessFault =>
    new WitnessFault(`witness ${witness.name} at ${witness.url} ${why}`)
  const text = parseCheckpoint(head.note).note.text
  for (let attempt = 0; attempt < 3; attempt += 1) {
    if (state.size > head.size) {
      // Another replica may have been faster; else the witness has seen what our store has not.
      const isOvertaken = ((await tree.head())?.size ?? 0) >= state.size
      if (isOvertaken && (state.overtaken += 1) < MOST_OVERTAKEN) return undefined
      if (!isOvertaken) await guard.compareWith(witness)
      throw fault(
        `says that it cosigned ${state.size} records, and this checkpoint has ${head.size}`,
      )
    }
    const proof = await consistencyProof(state.size, head.size, tileReader(tree))
    const answer = await client.submit(witness, formatSubmission(state.size, proof, head.note))
    if (answer.status === 200) {
      const line = ownLine(answer.text, text, witness.verifier, clock())
      if (line === undefined) throw fault('answers without a cosignature of its own that verifies')
      state.size = head.size
      return line
    }
    if (answer.status === 409) {
      const [, said] = /^(0|[1-9]\d{0,15})\n$/.exec(answer.text) ?? []
      if (said === undefined || Number(said) === state.size) throw fault('contradicts itself')
      state.size = Number(said)
      // Replicas that ask in turn move it on each time; a liar goes in circles.
      if (state.size > state.largest) state.overtaken = 0
      state.largest = Math.max(state.largest, state.size)
      continue
    }
    if (answer.status === 422) await guard.compareWith(witness)
    const told = /^[\x20-\x7e]{1,200}\n$/.test(answer.text) ? ` (${answer.text.trim()})` : ''
    throw fault(`answers with status ${answer.status}${told}`)
  }
  // Two replicas that ask at one time see that too.
  if ((state.overtaken += 1) < MOST_OVERTAKEN) return undefined
  throw fault('says another size each time')
}

/** The witness's line among those that it answered with; others are ignored (tlog-witness, "add-checkpoint"). */
function ownLine(
  answer: string,
  text: string,
  verifier: NoteVerifier,
  now: Date,
): string | undefined {
  return answer.split('\n').find((line) => {
    try {
      const signature = parseSignatureLine(line)
      if (!isBy(signature, verifier)) return false
      const at = verifyCosignature(text, signature, verifier)
      return at.getTime() <= now.getTime() + AHEAD_MS
    } catch (error) {
      if (error instanceof NoteError) return false
      throw error
    }
  })
}
