import type { ValidationStore } from '../exchange-log/validation-store.ts'
import type { Anchor } from '../protocol/snapshot.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { openSnapshotClient, type SnapshotClient } from './catalogue/snapshot-client.ts'
import type { GatewayConfig } from './config.ts'
import { createClockCheck, type MeasuredClock } from './trust/clock-check.ts'
import { openOcspCache, type OcspCache } from './trust/ocsp-cache.ts'
import { createTrust, type SnapshotTrust } from './trust/trust.ts'
import { startValidationKeeper, type ValidationKeeper } from './trust/validation-keeper.ts'

/** What a gateway learns of the others: who they are, whose certificates hold, what time it is. */
export interface Knowledge {
  readonly catalogue: SnapshotClient
  readonly ocsp: OcspCache
  readonly trust: SnapshotTrust
  readonly clockCheck: MeasuredClock
  /** Keeps what signatures are judged by. */
  readonly keeper: ValidationKeeper
}

/** @param deps.scope ends the following of catalogue and responders. */
export async function openKnowledge(
  { gatewayId: gateway, stateDir, ...config }: GatewayConfig,
  deps: {
    /** As a person gave it; `catalogue.anchor` is what counts. */
    readonly given: Anchor
    readonly validation: ValidationStore
    readonly scope: AsyncDisposableStack
    readonly clock: Clock
    readonly logger: Logger
  },
): Promise<Knowledge> {
  const { given, validation: store, scope, clock, logger } = deps
  const { ocspRefreshSeconds: refreshSeconds } = config
  const keeper = scope.use(startValidationKeeper({ store, refreshSeconds, logger }))
  const ocsp = scope.use(
    openOcspCache({
      dir: `${stateDir}/ocsp`,
      gateway,
      refreshSeconds,
      outageMinutes: config.ocspOutageMinutes,
      onAnswer: (certificate, answer) => keeper.heard(certificate, answer),
      clock,
      logger,
    }),
  )
  const clockCheck = createClockCheck({ gateway, clock, logger })
  const catalogue = scope.use(
    await openSnapshotClient({
      anchor: given,
      dir: `${stateDir}/catalogue`,
      pollSeconds: config.catalogueWaitSeconds,
      clock,
      logger,
      onTime: (told) => clockCheck.hear(told),
    }),
  )
  const trust = createTrust({ snapshot: () => catalogue.newest, ocsp, keeper, clock })
  return { catalogue, ocsp, trust, clockCheck, keeper }
}
