/** Renewal as a running gateway does it: on its own certificates, towards the authority and the catalogue. */
import type { Anchor } from '../../protocol/snapshot.ts'
import { createEstClient } from '../../pki/est-client.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { GatewayConfig } from '../config.ts'
import type { CredentialSlot } from '../credentials/credential.ts'
import type { Credentials } from '../credentials/credentials.ts'
import type { CredentialStore } from '../credentials/store.ts'
import { toTls } from '../credentials/tls.ts'
import { createNotices, type Notice } from './notices.ts'
import type { Registrar } from './registrar.ts'
import { createRenewal, type RenewalState } from './renewal.ts'

export interface CredentialUpkeep extends AsyncDisposable {
  describe(): { readonly renewal: RenewalState[] | undefined; readonly notices: Notice[] }
}

interface Deps {
  readonly config: GatewayConfig
  readonly anchor: Anchor
  readonly store: CredentialStore
  readonly credentials: Credentials
  readonly register: Registrar
  /** Called with each new credential. */
  readonly onInstalled: () => void
  /** Called with each failure to renew. */
  readonly onFailure: (slot: CredentialSlot, code: string) => void
  readonly clock: Clock
  readonly logger: Logger
}

const LOOK_MS = 500

/** Without `enrolment` in the configuration it only tells when certificates come to their end. */
export function startCredentialUpkeep(deps: Deps): CredentialUpkeep {
  const { config, anchor, store, credentials, onInstalled, onFailure, clock, logger } = deps
  const slots: CredentialSlot[] = [
    { kind: 'authentication', owner: config.gatewayId },
    ...config.signing.map(({ member }) => ({ kind: 'signing', owner: member }) as const),
  ]
  const url = config.enrolment?.url
  const renewal =
    url === undefined
      ? undefined
      : createRenewal({
          slots,
          store,
          clock,
          logger,
          reenroll: async (csr) => {
            const tls = toTls(credentials.shown(clock()))
            await using client = createEstClient({ ...anchor, url, tls })
            return await client.reenroll(csr)
          },
          register: ({ kind, certificate }) => {
            const der = certificate.der.toString('base64')
            return deps.register({ certificates: [{ kind, der }] })
          },
          onInstalled,
          onFailure,
        })
  const notices = createNotices({ slots, store, renewsItself: url !== undefined, logger })
  const look = (): void => {
    notices.look(clock())
    looking = renewal?.look()
  }
  let looking: Promise<void> | undefined
  const timer = setInterval(look, LOOK_MS)
  timer.unref()
  return {
    describe: () => ({ renewal: renewal?.describe(), notices: notices.look(clock()) }),
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      await looking
    },
  }
}
