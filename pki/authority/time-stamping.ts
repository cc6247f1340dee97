import type { Clock } from '../../runtime/clock.ts'
import type { Certificate } from '../certificate.ts'
import { DerError } from '../der.ts'
import type { SigningKey } from '../signing-key.ts'
import { hashBytes } from '../tsp-hash.ts'
import { parseTspRequest, type TspRequest } from '../tsp-request.ts'
import { createTspResponse } from '../tsp-response.ts'
import { createTspRejection, type PkiFailure } from '../tsp-status.ts'
import { openTimeStampState } from './time-stamp-state.ts'

/** What a time-stamping authority did with one request, for its journal. */
export type TimeStampEvent =
  | {
      readonly kind: 'granted'
      readonly at: Date
      readonly serial: string
      readonly genTime: Date
      /** Of the certificate that signed. */
      readonly thumbprint: string
    }
  | {
      readonly kind: 'refused'
      readonly at: Date
      readonly failure: PkiFailure
      readonly detail: string
      /** Of a failure that is our own. */
      readonly cause?: unknown
    }

export interface TimeStampingOptions {
  readonly key: SigningKey
  /** The certificate in force at a time; it must be good for years after the last token. */
  readonly certificate: (at: Date) => Promise<Certificate>
  /** Certificates between it and the root, sent along with it. */
  readonly chain: readonly Certificate[]
  /** SQLite file with the serials and the latest time. */
  readonly stateFile: string
  readonly clock: Clock
  /** Object identifier of the policy that tokens are under. */
  readonly policy: string
  /** How far off the clock may be at most: what tokens say of their time. */
  readonly accuracyMs: number
  /** False while the clock is known to be off: nothing is stamped then. */
  readonly isClockTrusted?: () => boolean
  readonly journal?: (event: TimeStampEvent) => void
}

/** A time-stamping authority by RFC 3161; serves no port by itself. */
export interface TimeStamping extends Disposable {
  /** Answers a request of anyone: whatever the bytes are, there is an answer. */
  answer(request: Uint8Array): Promise<Buffer>
}

/**
 * UUID arc of ITU-T X.667 §6.3, which is unique without a registration: an authority that has a policy
 * of its own puts its identifier into the configuration.
 */
export const DEFAULT_POLICY = '2.25.244976062482537656796972862492914001761'
export const DEFAULT_ACCURACY_MS = 1000

/** @throws ConfigError when the state cannot be opened. */
export function openTimeStamping(options: TimeStampingOptions): TimeStamping {
  const { clock, journal = () => undefined } = options
  const state = openTimeStampState(options.stateFile, options)

  const grant = async (request: TspRequest, at: Date): Promise<Buffer> => {
    if (options.isClockTrusted?.() === false) {
      throw new Refusal('timeNotAvailable', 'the clock of this authority is not trusted now')
    }
    const certificate = await options.certificate(at)
    // Both are taken in one go: serials stand in the order of their times.
    const genTime = state.timeAt(at)
    if (genTime === undefined) {
      throw new Refusal('timeNotAvailable', `the clock was set back: it says ${at.toISOString()}`)
    }
    const serial = state.nextSerial()
    const { policy, accuracyMs, key } = options
    const { imprint, nonce, certReq } = request
    const response = await createTspResponse({
      policy,
      imprint: imprint.encoded,
      serial,
      genTime,
      accuracyMs,
      nonce,
      key,
      certificate,
      // RFC 3161 §2.4.1: the field is there if, and only if, the request asks for it
      certificates: certReq ? [certificate, ...options.chain] : [],
    })
    const { thumbprint } = certificate
    journal({ kind: 'granted', at, serial: serial.toString('hex'), genTime, thumbprint })
    return response
  }

  return {
    answer: async (bytes) => {
      const at = clock()
      try {
        const request = parseTspRequest(bytes)
        checkRequest(request, options.policy)
        return await grant(request, at)
      } catch (error) {
        const { failure, message } = refusalOf(error)
        const own = failure === 'systemFailure' ? { cause: error } : {}
        journal({ kind: 'refused', at, failure, detail: message, ...own })
        return createTspRejection(failure, message)
      }
    },
    [Symbol.dispose]: () => state[Symbol.dispose](),
  }
}

/** Why no token is given. The message is one sentence a stranger may read. */
class Refusal extends DerError {
  readonly failure: PkiFailure

  constructor(failure: PkiFailure, message: string) {
    super(message)
    this.failure = failure
  }
}

function refusalOf(error: unknown): { failure: PkiFailure; message: string } {
  if (error instanceof Refusal) return error
  if (error instanceof DerError) {
    return { failure: 'badDataFormat', message: `the request cannot be read: ${error.message}` }
  }
  // A key that is gone, a full disk: the protocol has a word for it, and the cause goes to the journal.
  return { failure: 'systemFailure', message: 'the request cannot be handled now' }
}

/** RFC 3161 §2.4.1: what a request may ask for. @throws Refusal */
function checkRequest(request: TspRequest, policy: string): void {
  const { version, imprint, extensions } = request
  const { hash, digest, algorithm } = imprint
  if (version !== 1) throw new Refusal('badRequest', `the version is ${version} instead of 1`)
  if (hash === undefined) {
    throw new Refusal(
      'badAlg',
      `the hash ${algorithm} is not accepted: use SHA-256, SHA-384 or SHA-512`,
    )
  }
  if (digest.length !== hashBytes(hash)) {
    throw new Refusal(
      'badDataFormat',
      `the digest has ${digest.length} bytes, which is not ${hash}`,
    )
  }
  if (request.policy !== undefined && request.policy !== policy) {
    throw new Refusal('unacceptedPolicy', `the policy here is ${policy}`)
  }
  const [extension] = extensions
  if (extension !== undefined) {
    throw new Refusal('unacceptedExtension', `the extension ${extension} is not understood here`)
  }
}
