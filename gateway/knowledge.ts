import type { Anchor } from '../protocol/snapshot.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { openSnapshotClient, type SnapshotClient } from './catalogue/snapshot-client.ts'
import type { GatewayConfig } from './config.ts'
import { createClockCheck, type MeasuredClock } from './trust/clock-check.ts'
import { openOcspCache, type OcspCache } from './trust/ocsp-cache.ts'
import { createTrust, type SnapshotTrust } from './trust/trust.ts'

/** What a gateway learns of the others: who they are, whose certificates hold, what time it is. */
export interface Knowledge {
  readonly catalogue: SnapshotClient
  readonly ocsp: OcspCache
  readonly trust: SnapshotTrust
  readonly clockCheck: MeasuredClock
}

/** @param deps.scope ends the following of catalogue and responders. */
export async function openKnowledge(
  { gatewayId: gateway, stateDir, ...config }: GatewayConfig,
  deps: {
    readonly anchor: Anchor
    readonly scope: AsyncDisposableStack
    readonly clock: Clock
    readonly logger: Logger
  },
): Promise<Knowledge> {
  const { anchor, scope, clock, logger } = deps
  const ocsp = scope.use(
    openOcspCache({
      dir: `${stateDir}/ocsp`,
      gateway,
      refreshSeconds: config.ocspRefreshSeconds,
      outageMinutes: config.ocspOutageMinutes,
      clock,
      logger,
    }),
  )
  const clockCheck = createClockCheck({ gateway, clock, logger })
  const catalogue = scope.use(
    await openSnapshotClient({
      anchor,
      dir: `${stateDir}/catalogue`,
      pollSeconds: config.catalogueWaitSeconds,
      clock,
      logger,
      onTime: (told) => clockCheck.hear(told),
    }),
  )
  const trust = createTrust({ snapshot: () => catalogue.newest, ocsp, clock })
  return { catalogue, ocsp, trust, clockCheck }
}
