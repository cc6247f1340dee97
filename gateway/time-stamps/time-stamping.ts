import type { LogStores } from '../../exchange-log/open-log.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { SnapshotClient } from '../catalogue/snapshot-client.ts'
import type { GatewayConfig } from '../config.ts'
import type { ValidationKeeper } from '../trust/validation-keeper.ts'
import { createAuthorityList } from './authority-list.ts'
import { openLogStamper, type LogStamper } from './log-stamper.ts'
import { nextCheckpoint } from './next-checkpoint.ts'
import { createSignatureStamps, type SignatureStamps } from './signature-stamps.ts'
import { createStampSource } from './stamp-source.ts'
import { createTimeStampClient } from './time-stamp-client.ts'

/** How long an authority is left alone after its first failure. */
const BACK_OFF_MS = 5000

/** A gateway's time-stamps: of its log, beside the traffic; of single signatures, for those who want evidence. */
export interface TimeStamping {
  readonly stamper: LogStamper
  readonly signatureStamps: SignatureStamps
}

/** @param deps.scope ends both. */
export function openTimeStamping(
  { gatewayId, timeStamping: settings }: GatewayConfig,
  deps: {
    readonly stores: Pick<LogStores, 'records' | 'tree' | 'stamps' | 'validation'>
    readonly catalogue: SnapshotClient
    readonly keeper: Pick<ValidationKeeper, 'keepCertificates'>
    readonly scope: AsyncDisposableStack
    readonly clock: Clock
    readonly logger: Logger
  },
): TimeStamping {
  const { stores, catalogue, keeper, scope, clock, logger } = deps
  const { records: log, tree, stamps, validation: store } = stores
  const approved = () => catalogue.newest?.timeStampingAuthorities
  const names = settings.authorities
  const backOffMs = BACK_OFF_MS
  const authorities = createAuthorityList({ gatewayId, approved, names, clock, backOffMs })
  const client = createTimeStampClient({ clock })
  const onStamp = keeper.keepCertificates
  const source = createStampSource({ gatewayId, authorities, client, onStamp })
  const checkpoint = () => nextCheckpoint(tree, clock)
  const stamper = scope.use(
    openLogStamper({
      ...{ gatewayId, log, checkpoint, stamps, source, client, settings, clock, logger },
    }),
  )
  catalogue.subscribe(() => void stamper.stampNow())
  return { stamper, signatureStamps: createSignatureStamps({ source, store, clock, logger }) }
}
