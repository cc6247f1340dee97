import { createHash } from 'node:crypto'
import {
  ValidationStoreError,
  type KeptSignatureStamp,
  type ValidationStore,
} from '../../exchange-log/validation-store.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import { toFault, type TimeStampFault } from './authority-list.ts'
import type { StampSource } from './stamp-source.ts'

/** A time-stamp about one signature, or why there is none now. */
export type SignatureStamping =
  | { readonly stamp: KeptSignatureStamp; readonly fault: undefined }
  | { readonly stamp: undefined; readonly fault: TimeStampFault }

export interface SignatureStamps {
  /**
   * A time-stamp (RFC 3161) of a signature, as `sigTst` of JAdES has it (ETSI TS 119 182-1 §5.3.4): over the ASCII
   * bytes of the base64url text of the JWS signature. Authorities are asked once for each signature, ever; when none
   * gives a token in time, a later call asks again.
   *
   * @param jwsSignature third part of a compact JWS.
   * @throws ValidationStoreError when it cannot be known whether there is one.
   */
  signatureStamp(jwsSignature: string): Promise<SignatureStamping>
}

/** Who asks for evidence waits for this, and gets it without a token otherwise. */
const PATIENCE_MS = 15_000

export function createSignatureStamps(deps: {
  readonly source: StampSource
  readonly store: Pick<ValidationStore, 'signatureStamp' | 'keepSignatureStamp'>
  readonly clock: Clock
  readonly logger: Logger
  readonly patienceMs?: number
}): SignatureStamps {
  const { source, store, clock, logger, patienceMs = PATIENCE_MS } = deps
  const running = new Map<string, Promise<SignatureStamping>>()

  const keep = async (stamp: KeptSignatureStamp): Promise<void> => {
    try {
      await store.keepSignatureStamp(stamp)
    } catch (error) {
      // The token is good all the same; the next call asks for another.
      if (!(error instanceof ValidationStoreError)) throw error
      logger.warn({ err: error }, 'the time-stamp of a signature could not be kept')
    }
  }
  const ask = async (digest: Buffer): Promise<SignatureStamping> => {
    try {
      const got = await source.obtain(digest)
      if (got === undefined) return { stamp: undefined, fault: lastFault(source, clock()) }
      const { token, genTime } = got.stamp
      const stamp = { digest: digest.toString('base64url'), token, genTime }
      await keep(stamp)
      return { stamp, fault: undefined }
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error
      return { stamp: undefined, fault: toFault(error, clock()) }
    }
  }
  return {
    signatureStamp: async (jwsSignature) => {
      const digest = createHash('sha256').update(jwsSignature, 'ascii').digest()
      const name = digest.toString('base64url')
      const kept = await store.signatureStamp(name)
      if (kept !== undefined) return { stamp: kept, fault: undefined }
      const asking = running.get(name) ?? ask(digest).finally(() => running.delete(name))
      running.set(name, asking)
      return await withPatience(asking, patienceMs, clock)
    },
  }
}

/** All authorities failed a moment ago: what the first of them said. */
function lastFault(source: StampSource, at: Date): TimeStampFault {
  const known = source.health().find(({ fault }) => fault !== undefined)?.fault
  return known ?? toFault(new ExchangeError('timestamp.unavailable', 'no authority was asked'), at)
}

/** A token that comes later is kept, and there at the next call. */
async function withPatience(
  asking: Promise<SignatureStamping>,
  patienceMs: number,
  clock: Clock,
): Promise<SignatureStamping> {
  const { promise: over, resolve } = Promise.withResolvers<SignatureStamping>()
  const timer = setTimeout(() => {
    const words = `no time-stamping authority answered in ${patienceMs / 1000} s`
    const error = new ExchangeError('timestamp.unavailable', words)
    resolve({ stamp: undefined, fault: toFault(error, clock()) })
  }, patienceMs)
  try {
    return await Promise.race([asking, over])
  } finally {
    clearTimeout(timer)
  }
}
