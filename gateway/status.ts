import type { Clock } from '../runtime/clock.ts'
import type { SnapshotClient } from './catalogue/snapshot-client.ts'
import type { GatewayConfig } from './config.ts'
import type { Credentials } from './credentials/credentials.ts'
import type { CredentialUpkeep } from './renewal/upkeep.ts'
import type { MeasuredClock } from './trust/clock-check.ts'
import type { OcspCache } from './trust/ocsp-cache.ts'

/** What an operator asks first: does it work, since when not, and what will end next. */
export function gatewayStatus(deps: {
  readonly config: GatewayConfig
  readonly catalogue: SnapshotClient
  readonly ocsp: OcspCache
  readonly clockCheck: MeasuredClock
  readonly credentials: Credentials
  readonly upkeep: CredentialUpkeep
  readonly clock: Clock
}): object {
  const { config, catalogue, ocsp, clockCheck, credentials, upkeep, clock } = deps
  const { newest, health } = catalogue
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
    certificates: credentials.describe(clock()),
    ...upkeep.describe(),
    ocsp: ocsp.health(),
    memoryBytes: process.memoryUsage.rss(),
    uptimeSeconds: Math.round(process.uptime()),
  }
}
