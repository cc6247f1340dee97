import type { Integrator } from '../exchange-log/integrator.ts'
import type { Clock } from '../runtime/clock.ts'
import type { SnapshotClient } from './catalogue/snapshot-client.ts'
import type { GatewayConfig } from './config.ts'
import type { CredentialSlot } from './credentials/credential.ts'
import type { Credentials } from './credentials/credentials.ts'
import { ownCertificateFault, type OwnCertificate } from './own-certificates.ts'
import type { LogKeeping } from './log-keeping.ts'
import type { CredentialUpkeep } from './renewal/upkeep.ts'
import type { LogStamper } from './time-stamps/log-stamper.ts'
import type { Witnessing } from './transparency/witnessing.ts'
import type { MeasuredClock } from './trust/clock-check.ts'
import type { OcspCache } from './trust/ocsp-cache.ts'
import type { ValidationKeeper } from './trust/validation-keeper.ts'

/** What an operator asks first: does it work, since when not, and what will end next. */
export function gatewayStatus(deps: {
  readonly config: GatewayConfig
  readonly catalogue: SnapshotClient
  readonly ocsp: OcspCache
  readonly stamper: LogStamper
  readonly keeper: ValidationKeeper
  readonly integrator: Pick<Integrator, 'health'>
  readonly witnessing: Pick<Witnessing, 'health'>
  readonly keeping: Pick<LogKeeping, 'health'>
  readonly clockCheck: MeasuredClock
  readonly credentials: Credentials
  readonly owned: () => readonly OwnCertificate[]
  readonly upkeep: CredentialUpkeep
  /** What else an operator should look at, in sentences. */
  readonly warnings: () => string[]
  readonly clock: Clock
}): object {
  const { config, catalogue, ocsp, stamper, integrator, keeper, clockCheck } = deps
  const { credentials, upkeep, clock } = deps
  const { newest, health } = catalogue
  const states = credentials.describe(clock())
  // What keeps others from taking one is told while no other one of its kind and owner is in use.
  const isServed = ({ kind, owner }: CredentialSlot): boolean =>
    states.some((state) => state.active && state.kind === kind && state.owner === owner)
  const faults = new Map(
    deps.owned().map((own) => {
      const fault = newest && ownCertificateFault(own, newest, clock())
      return [own.certificate.thumbprint, fault]
    }),
  )
  return {
    program: 'gateway',
    gatewayId: config.gatewayId,
    instance: config.gatewayId.split('/', 1)[0],
    time: clock(),
    clock: clockCheck.state,
    snapshot: newest && {
      number: newest.number,
      issuedAt: newest.issuedAt,
      expiresAt: newest.expiresAt,
    },
    catalogue: health,
    anchor: catalogue.anchorState,
    certificates: states.map((state) => ({
      ...state,
      purpose: state.kind,
      fault: isServed(state) ? undefined : faults.get(state.thumbprint),
    })),
    ...upkeep.describe(),
    ocsp: ocsp.health(),
    tree: integrator.health(),
    log: deps.keeping.health(),
    timeStamping: stamper.health(),
    validation: keeper.health(),
    witnessing: deps.witnessing.health(),
    warnings: deps.warnings(),
    memoryBytes: process.memoryUsage.rss(),
    uptimeSeconds: Math.round(process.uptime()),
  }
}
