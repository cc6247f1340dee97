import { ExchangeError } from '../../protocol/errors.ts'
import type { Certificate } from '../../pki/certificate.ts'
import type { TimeStamp } from '../../pki/tsp-verify.ts'
import type { TimeStampingAuthorityEntry } from '../catalogue-view.ts'
import type { AuthorityList } from './authority-list.ts'
import type { TimeStampClient } from './time-stamp-client.ts'

/** Gives time-stamps of whichever authority can. */
export interface StampSource extends Pick<AuthorityList, 'health' | 'nextDueMs'> {
  /**
   * A verified time-stamp of a SHA-256 digest, from the first authority that gives one.
   *
   * @returns undefined when all are left alone for now, because they failed lately.
   * @throws ExchangeError the code of the first that failed, naming all; `timestamp.none-configured`.
   */
  obtain(
    digest: Buffer,
  ): Promise<
    { readonly authority: TimeStampingAuthorityEntry; readonly stamp: TimeStamp } | undefined
  >
}

export function createStampSource(deps: {
  readonly gatewayId: string
  readonly authorities: AuthorityList
  readonly client: TimeStampClient
  /** Told of the certificates that each token stands on, its signer first. */
  readonly onStamp: (path: readonly Certificate[]) => void
}): StampSource {
  const { gatewayId, authorities, client, onStamp } = deps
  return {
    obtain: async (digest) => {
      const errors: ExchangeError[] = []
      for (const authority of authorities.due()) {
        try {
          const stamp = await client.stamp(authority, digest)
          authorities.succeeded(authority)
          onStamp([...stamp.path, ...authority.certificates])
          return { authority, stamp }
        } catch (error) {
          if (!(error instanceof ExchangeError)) throw error
          authorities.failed(authority, error)
          errors.push(error)
        }
      }
      const [first] = errors
      if (first === undefined) return undefined
      const details = errors.map(({ message }) => message).join('; ')
      throw new ExchangeError(first.code, `gateway ${gatewayId}: ${details}`, { cause: first })
    },
    health: () => authorities.health(),
    nextDueMs: () => authorities.nextDueMs(),
  }
}
