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
import { startCosigning, type CosigningHealth } from './cosigning.ts'
import {
  startKeyRegistration,
  type KeyRegistration,
  type PublishedKeys,
} from './key-registration.ts'
import { openOwnWitness } from './own-witness.ts'
import { createStoreGuard, type RolledBack, type StoreGuard } from './store-guard.ts'
import { createWitnessClient } from './witness-client.ts'

export interface WitnessingHealth {
  /** Cosignatures of our own checkpoints. */
  readonly cosigning: CosigningHealth
  /** Why exchanges are refused: the store is an older copy of itself. */
  readonly rolledBack: RolledBack | undefined
  /** This gateway as a witness of others. */
  readonly witness: WitnessHealth
  readonly keys: PublishedKeys | undefined
}
export interface Witnessing {
  /** The store of records, refused once it is known to be rolled back. */
  readonly records: ExchangeLogStore
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

/** Longest wait of a start for witnesses; those that answer later are heard while it runs. */
const START_MS = 3000

/** Compares the store with what witnesses have seen before it comes back. @throws ConfigError */
export async function openWitnessing(config: GatewayConfig, deps: Deps): Promise<Witnessing> {
  const { anchor, keys, stores, catalogue, scope, clock, logger } = deps
  const { gatewayId, stateDir } = config
  const roots = parseCertificates(anchor.rootCertificates.join('\n'))
  const authorities = (): readonly Certificate[] => [...roots, ...(catalogue.newest?.anchors ?? [])]
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
  await compareWithWitnesses(guard, deps)
  const common = { catalogue, clock, logger }
  const own = scope.use(openOwnWitness({ ...common, gatewayId, stateDir, key: keys.witness }))
  const policy = () => catalogue.newest?.logPolicy?.policy
  const cosigning = scope.use(
    startCosigning({ tree, own: keys.witness.verifier, policy, client, guard, clock, logger }),
  )
  let registration: KeyRegistration | undefined
  return {
    records: guard.records,
    publicRoutes: createWitnessRoutes(own.witness),
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
    }),
  }
}

async function compareWithWitnesses(
  guard: StoreGuard,
  { catalogue, keys, logger }: Deps,
): Promise<void> {
  const { witnesses = [] } = catalogue.newest?.logPolicy?.policy ?? {}
  const others = witnesses.filter(
    ({ url, verifier }) => url !== undefined && verifier.name !== keys.witness.verifier.name,
  )
  const compared = others.map(async (witness) => {
    try {
      await guard.compareWith(witness)
    } catch (error) {
      logger.warn({ witness: witness.name, err: error }, 'a witness cannot say what it has seen')
    }
  })
  const { promise: waited, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, START_MS)
  await Promise.race([Promise.all(compared), waited])
  clearTimeout(timer)
}
