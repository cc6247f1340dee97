import { createHash } from 'node:crypto'
import { ExchangeError } from '../../protocol/errors.ts'

/** Below which number snapshots are refused (protocol/README.md §7.2). */
export interface SnapshotFloor {
  /** The highest that was taken; 0 for none. */
  readonly number: number
  /** @throws ExchangeError `catalogue.outdated`. */
  verify(number: number, jws: string): void
  /** Outlives the snapshot itself: an expired one still says what must not come back. */
  raise(number: number, jws: string, signer: string): void
  /**
   * Forgets what was signed by a key that counts no longer: it may have signed the highest number there is.
   *
   * @returns whether that was so.
   */
  forgetUnless(counts: (signer: string) => boolean): boolean
}

export function createSnapshotFloor(): SnapshotFloor {
  let highest = 0
  let taken: { readonly digest: string; readonly signer: string } | undefined
  return {
    get number() {
      return highest
    },
    verify: (number, jws) => {
      if (number < highest) {
        throw new ExchangeError(
          'catalogue.outdated',
          `snapshot ${number} is older than ${highest}, which this gateway had`,
        )
      }
      if (number === highest && taken !== undefined && digestOf(jws) !== taken.digest) {
        throw new ExchangeError(
          'catalogue.outdated',
          `there are two snapshots with the number ${highest}: the catalogue contradicts itself`,
        )
      }
    },
    raise: (number, jws, signer) => {
      highest = number
      taken = { digest: digestOf(jws), signer }
    },
    forgetUnless: (counts) => {
      if (taken === undefined || counts(taken.signer)) return false
      highest = 0
      taken = undefined
      return true
    },
  }
}

/** Of the payload: the same may be signed anew. */
const digestOf = (jws: string): string =>
  createHash('sha256')
    .update(jws.split('.')[1] ?? '')
    .digest('base64url')
