import type { Clock } from '../runtime/clock.ts'
import type { SnapshotClient } from './catalogue/snapshot-client.ts'
import type { GatewayConfig } from './config.ts'
import type { LogStamper } from './time-stamps/log-stamper.ts'
import { ownCertificateFault, type OwnCertificate } from './own-certificates.ts'
import type { OcspCache } from './trust/ocsp-cache.ts'

/** What an operator asks first: does it work, since when not, and what will end next. */
export function gatewayStatus(deps: {
  readonly config: GatewayConfig
  readonly catalogue: SnapshotClient
  readonly ocsp: OcspCache
  readonly stamper: LogStamper
  readonly own: readonly OwnCertificate[]
  readonly clock: Clock
}): object {
  const { config, catalogue, ocsp, stamper, own, clock } = deps
  const { newest, health } = catalogue
  return {
    program: 'gateway',
    gatewayId: config.gatewayId,
    instance: config.gatewayId.split('/', 1)[0],
    time: clock(),
    snapshot: newest && {
      number: newest.number,
      issuedAt: newest.issuedAt,
      expiresAt: newest.expiresAt,
    },
    catalogue: health,
    certificates: own.map((entry) => ({
      subject: entry.certificate.subject,
      thumbprint: entry.certificate.thumbprint,
      notAfter: entry.certificate.notAfter,
      purpose: entry.purpose,
      owner: entry.owner,
      fault: newest && ownCertificateFault(entry, newest, clock()),
    })),
    ocsp: ocsp.health(),
    timeStamping: stamper.health(),
    memoryBytes: process.memoryUsage.rss(),
    uptimeSeconds: Math.round(process.uptime()),
  }
}
