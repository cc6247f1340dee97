/** All that binds this gateway's log to its witnesses, and it to the logs of others as a witness itself. */
import type { Anchor } from '../../protocol/snapshot.ts'
import { parseCertificates, type Certificate } from '../../pki/certificate.ts'
import type { LogStores } from '../../exchange-log/open-log.ts'
import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import type { Route } from '../../runtime/admin-api.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { WitnessHealth } from '../../witness/witness.ts'
import { createWitnessAdminRoutes, createWitnessRoutes } from '../../witness/witness-routes.ts'
import type { SnapshotClient } from '../catalogue/snapshot-client.ts'
import type { GatewayConfig } from '../config.ts'
import { createLogKeyRoutes } from '../http/log-key-routes.ts'
import type { PublicRoute } from '../http/transparency-server.ts'
import type { OwnLogKeys } from '../own-log-keys.ts'
import type { Registrar } from '../renewal/registrar.ts'
import { othersOf, startCosigning, type CosigningHealth } from './cosigning.ts'
import {
  startKeyRegistration,
  type KeyRegistration,
  type PublishedKeys,
} from './key-registration.ts'
import { openOwnWitness } from './own-witness.ts'
import { createStoreGuard, type RolledBack } from './store-guard.ts'
import { startCheck } from './start-check.ts'
import { createWitnessClient } from './witness-client.ts'

export interface WitnessingHealth {
  /** Cosignatures of our own checkpoints. */
  readonly cosigning: CosigningHealth
  /** Why exchanges are refused: the store is an older copy of itself. */
  readonly rolledBack: RolledBack | undefined
  /** This gateway as a witness of others. */
  readonly witness: WitnessHealth
  readonly keys: PublishedKeys | undefined
  /** Why the log policy of the snapshot cannot be read: nobody is asked for cosignatures then. */
  readonly policyFault: string | undefined
}
export interface Witnessing {
  /** The store of records, refused once it is known to be rolled back. */
  readonly records: ExchangeLogStore
  /** Whether nothing may be signed yet: too few witnesses said what they have seen of this log. */
  readonly isHolding: () => boolean
  /** To be told of each new checkpoint: it is submitted at once. */
  readonly onCheckpoint: () => void
  /** For the port that everybody reaches. */
  readonly publicRoutes: readonly PublicRoute[]
  readonly adminRoutes: readonly Route[]
  /** From now on the keys of this gateway are registered. */
  startRegistration(register: Registrar): void
  health(): WitnessingHealth
}

interface Deps {
  readonly anchor: Anchor
  readonly keys: OwnLogKeys
  readonly stores: LogStores
  readonly catalogue: SnapshotClient
  readonly scope: AsyncDisposableStack
  readonly clock: Clock
  readonly logger: Logger
}

/** Compares the store with what witnesses have seen before it comes back. @throws ConfigError */
export async function openWitnessing(config: GatewayConfig, deps: Deps): Promise<Witnessing> {
  const { anchor, keys, stores, catalogue, scope, clock, logger } = deps
  const { gatewayId, stateDir } = config
  const roots = rootsOf(anchor)
  const authorities = (): readonly Certificate[] => [
    ...roots(),
    ...(catalogue.newest?.anchors ?? []),
  ]
  const client = scope.use(
    createWitnessClient(() => ({
      authorities: authorities(),
      isListed: (thumbprint) => catalogue.newest?.gatewayByCertificate(thumbprint) !== undefined,
    })),
  )
  const { tree } = stores
  const log = keys.log.verifier
  const guard = createStoreGuard({ records: stores.records, tree, log, client, clock, logger })
  await guard.compareWithTree()
  const policy = () => catalogue.newest?.logPolicy?.policy
  const { verifier } = keys.witness
  const check = scope.use(
    startCheck({ policy: policy(), others: othersOf(policy(), verifier), guard, logger }),
  )
  await check.waited
  const common = { catalogue, clock, logger }
  const own = scope.use(openOwnWitness({ ...common, gatewayId, stateDir, key: keys.witness }))
  const cosigning = scope.use(
    startCosigning({ tree, own: verifier, policy, client, guard, clock, logger }),
  )
  let registration: KeyRegistration | undefined
  return {
    records: guard.records,
    isHolding: check.isHolding,
    onCheckpoint: () => cosigning.wake(),
    publicRoutes: config.transparency.witness === false ? [] : createWitnessRoutes(own.witness),
    adminRoutes: [
      ...createWitnessAdminRoutes(own.witness, own.state),
      ...createLogKeyRoutes(() => registration!.describe()),
    ],
    startRegistration: (register) => {
      registration = scope.use(startKeyRegistration({ config, keys, catalogue, register, logger }))
    },
    health: () => ({
      cosigning: cosigning.health(),
      rolledBack: guard.rolledBack,
      witness: own.witness.describe(),
      keys: registration?.describe(),
      policyFault: catalogue.newest?.logPolicyFault,
    }),
  }
}

/** Read anew only when the anchor has others. */
function rootsOf(anchor: Anchor): () => readonly Certificate[] {
  let read: { readonly from: readonly string[]; readonly roots: readonly Certificate[] } | undefined
  return () => {
    const from = anchor.rootCertificates
    if (read?.from !== from) read = { from, roots: parseCertificates(from.join('\n')) }
    return read.roots
  }
}
