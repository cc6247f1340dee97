import type { Anchor } from '../protocol/snapshot.ts'
import type { Certificate } from '../pki/certificate.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { GatewayConfig } from './config.ts'
import type { CredentialSlot } from './credentials/credential.ts'
import { createCredentials, type Credentials } from './credentials/credentials.ts'
import type { CredentialStore } from './credentials/store.ts'
import { createServerTls, type ServerTls } from './credentials/tls.ts'
import type { Knowledge } from './knowledge.ts'
import { createFaultTeller, type OwnCertificate } from './own-certificates.ts'
import { createRegistrar, type Registrar } from './renewal/registrar.ts'
import { startCredentialUpkeep, type CredentialUpkeep } from './renewal/upkeep.ts'
import { createCertificateStates, type CertificateStates } from './trust/certificate-states.ts'

/** A gateway's own certificates: which is used, what others are told of them, how they stay good. */
export interface OwnCredentials {
  readonly credentials: Credentials
  /** For the gateway's servers. */
  readonly tls: ServerTls
  /** What gateways tell each other of their certificates. */
  readonly states: CertificateStates
  readonly upkeep: CredentialUpkeep
  readonly register: Registrar
  /** All that are held, ended ones too. */
  owned(): OwnCertificate[]
}

/** @param deps.scope ends renewal and the look-out for a certificate that takes the place of another. */
export function startOwnCredentials(deps: {
  readonly config: GatewayConfig
  readonly anchor: Anchor
  readonly store: CredentialStore
  readonly knowledge: Knowledge
  readonly onRenewalFailure: (slot: CredentialSlot, code: string) => void
  readonly scope: AsyncDisposableStack
  readonly clock: Clock
  readonly logger: Logger
}): OwnCredentials {
  const { config, anchor, store, knowledge, onRenewalFailure, scope, clock, logger } = deps
  const { catalogue, ocsp, trust, clockCheck } = knowledge
  const known = {
    gateway: config.gatewayId,
    revocation: (thumbprint: string) => ocsp.revocation(thumbprint),
    clockWords: () => clockCheck.words(),
  }
  const credentials = createCredentials({ known, store, clock })
  const certificates = (): Certificate[] =>
    store
      .all()
      .map(({ certificate }) => certificate)
      .filter(({ notAfter }) => notAfter > clock())
  const owned = (): OwnCertificate[] =>
    store.all().map(({ kind, owner, certificate }) => ({ certificate, purpose: kind, owner }))
  const tellFaults = createFaultTeller(logger)
  catalogue.subscribe((snapshot) => {
    trust.follow(certificates())
    credentials.noteSnapshot(snapshot)
    tellFaults(owned(), snapshot, clock())
  })
  const states = createCertificateStates({ ocsp, trust, certificates, logger })
  const tls = scope.use(createServerTls({ credentials, clock, logger }))
  const { gatewayId } = config
  const register = createRegistrar({ gatewayId, anchor, credentials, catalogue, clock })
  const upkeep = scope.use(
    startCredentialUpkeep({
      ...{ config, anchor, store, credentials, register, clock, logger },
      onInstalled: () => trust.follow(certificates()),
      onFailure: onRenewalFailure,
    }),
  )
  return { credentials, tls, states, upkeep, register, owned }
}
