import {
  CERTIFICATE_STATES_PATH,
  formatCertificateStates,
  parseCertificateStates,
  type CertificateState,
} from '../../protocol/certificate-states.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import { readAtMost } from '../../runtime/http-body.ts'
import type { Logger } from '../../runtime/logger.ts'
import { EMPTY_BODY, type SpooledBody } from '../../runtime/spool.ts'
import type { GatewayEntry } from '../catalogue-view.ts'
import { httpFailure, sendOver } from '../outgoing/http-request.ts'
import type { PeerPool } from './pool.ts'

interface Options {
  /** What this gateway knows of its own certificates. */
  readonly own: () => CertificateState[]
  /** Takes what another gateway says of its own; since when the oldest of it is known. */
  readonly take: (
    states: readonly CertificateState[],
    from: GatewayEntry,
  ) => Promise<Date | undefined>
  readonly refreshSeconds: number
  readonly clock: Clock
  readonly logger: Logger
}

/** Hands our certificates' states to other gateways, and takes theirs (protocol/README.md §6.5). */
export interface Handover {
  /**
   * To be awaited before an exchange: resolves at once unless this is the first for long, when it takes the
   * place of asking the responder. Never refuses.
   *
   * @throws an error of undici when the gateway cannot be reached: nothing could be sent to it either.
   */
  before(peer: PeerPool): Promise<void>
  /** Hands over what is due by now, ahead of need. */
  keep(peer: PeerPool): void
}

interface Meeting {
  running?: Promise<void>
  /** When it was last tried with a gateway that could be reached; 0: never. */
  triedAt: number
  failed: boolean
  /** The answers that we handed over. */
  handed: readonly Buffer[]
  /** Since when the oldest of what they handed over is known. */
  theirsAt: Date | undefined
}

/** Longest wait for the other side's states: the responder would not take longer either. */
const ANSWER_MS = 2000

export function createHandover(options: Options): Handover {
  const { clock, logger } = options
  const refreshMs = options.refreshSeconds * 1000
  const meetings = new Map<string, Meeting>()

  const isLong = (meeting: Meeting): boolean =>
    !meeting.triedAt || performance.now() - meeting.triedAt >= refreshMs

  const meet = (peer: PeerPool): Promise<void> => {
    const { id } = peer.gateway
    const fresh = { triedAt: 0, failed: false, handed: [], theirsAt: undefined }
    const meeting: Meeting = meetings.get(id) ?? fresh
    // One that is long ago is as none: gateways that are gone leave nothing behind.
    for (const [other, met] of meetings) if (isLong(met) && !met.running) meetings.delete(other)
    meetings.set(id, meeting)
    meeting.running ??= exchangeStates(peer, options)
      .then(
        ({ handed, theirsAt }) => Object.assign(meeting, { failed: false, handed, theirsAt }),
        (error: unknown) => {
          if (isUnreached(error)) throw error
          meeting.failed = true
          logger.info({ peer: id, err: error }, 'certificate states were not exchanged')
        },
      )
      .then(() => void (meeting.triedAt = performance.now()))
      .finally(() => delete meeting.running)
    return meeting.running
  }

  const isDue = ({ triedAt, failed, handed, theirsAt }: Meeting): boolean => {
    const sinceMs = performance.now() - triedAt
    if (failed) return sinceMs >= refreshMs / 2
    if (sinceMs < refreshMs / 8) return false
    const isOld = theirsAt === undefined || clock().getTime() - theirsAt.getTime() >= refreshMs / 2
    const answers = options.own().map(({ ocsp }) => ocsp)
    // An answer is one buffer for as long as it is the newest.
    return isOld || answers.some((ocsp) => !handed.includes(ocsp))
  }

  return {
    before: async (peer) => {
      const meeting = meetings.get(peer.gateway.id)
      if (meeting === undefined || isLong(meeting)) await meet(peer)
      // They may have been started anew since.
      else if (peer.open.size === 0 && isDue({ ...meeting, theirsAt: undefined }))
        meet(peer).catch(ignore)
    },
    keep: (peer) => {
      const meeting = meetings.get(peer.gateway.id)
      if (meeting && !meeting.running && isDue(meeting)) meet(peer).catch(ignore)
    },
  }
}

const ignore = (): void => undefined

/** What nothing could be sent through; the exchange that waits would meet the same. */
function isUnreached(error: unknown): boolean {
  if (error instanceof ExchangeError) return false
  const failure = httpFailure(error)
  return failure === 'unreachable' || failure === 'overloaded' || failure === 'stopping'
}

async function exchangeStates(
  peer: PeerPool,
  { own, take }: Options,
): Promise<Pick<Meeting, 'handed' | 'theirsAt'>> {
  await using scope = new AsyncDisposableStack()
  const states = own()
  const { status, stream } = await sendOver(peer, {
    method: 'POST',
    path: CERTIFICATE_STATES_PATH,
    headers: [['content-type', 'application/json']],
    body: bodyOf(formatCertificateStates(states)),
    scope,
    answerMs: ANSWER_MS,
  })
  const cut = setTimeout(() => stream.destroy(), ANSWER_MS)
  scope.defer(() => clearTimeout(cut))
  const body = await readAtMost(stream, LIMITS.certificateStatesBytes)
  if (status !== 200) {
    throw new ExchangeError('provider.answer-invalid', `${peer.gateway.id} answered ${status}`)
  }
  const theirsAt = await take(parseCertificateStates(body), peer.gateway)
  return { handed: states.map(({ ocsp }) => ocsp), theirsAt }
}

function bodyOf(text: string): SpooledBody {
  const bytes = Buffer.from(text)
  return { ...EMPTY_BODY, size: bytes.length, bytes }
}
