/** Contracts of a gateway: kept, followed, made and decided by. */
import { memberOf, readClientId, readGatewayId } from '../../protocol/identifiers.ts'
import type { Anchor } from '../../protocol/snapshot.ts'
import type { Route } from '../../runtime/admin-api.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import { createContractRoutes } from '../http/contract-routes.ts'
import type { Knowledge } from '../knowledge.ts'
import type { OwnCredentials } from '../own-credentials.ts'
import type { Contracts } from '../ports.ts'
import { createAgreements } from './agreements.ts'
import { createContracts, type ContractClauses } from './contracts.ts'
import { endingContracts, startExpiryWatch, type EndingContract } from './expiry.ts'
import { startContractFeed, type ContractFeed } from './feed.ts'
import { createContractIntake } from './intake.ts'
import { createLookFor } from './look-for.ts'
import { createContractSigning } from './signing.ts'
import { openContractStore } from './store.ts'

export interface OwnContracts {
  readonly contracts: Contracts & ContractClauses
  readonly routes: readonly Route[]
  ending(): EndingContract[]
}

/** @param deps.scope ends the following, and closes the store. @throws ConfigError. */
export function openContracts(
  config: {
    readonly gatewayId: string
    readonly stateDir: string
    readonly catalogueWaitSeconds: number
  },
  deps: {
    readonly anchor: Anchor
    readonly knowledge: Knowledge
    readonly own: OwnCredentials
    readonly scope: AsyncDisposableStack
    readonly clock: Clock
    readonly logger: Logger
  },
): OwnContracts {
  const { gatewayId } = config
  const { anchor, knowledge, own, scope, clock, logger } = deps
  const { catalogue, trust } = knowledge
  const { credentials } = own
  const store = scope.use(openContractStore(`${config.stateDir}/contracts.db`))
  const onSigned = trust.noteSigner.bind(trust)
  const signing = createContractSigning({ credentials, catalogue, onSigned, clock })
  let feed: ContractFeed | undefined
  let toldAnchor: number | undefined
  const onMade = (): void => feed?.hurry()
  const agreements = createAgreements({ store, signing, clock, logger, onMade })
  const gatewayMember = memberOf(readGatewayId(gatewayId))
  const members = (): string => {
    const clients = [...(catalogue.newest?.gateway(gatewayId)?.clients ?? [])]
    const all = clients.map((client) => memberOf(readClientId(client)))
    return [...new Set([gatewayMember, ...all])].toSorted().join(' ')
  }
  feed = scope.use(
    startContractFeed({
      ...{ store, anchor, members, logger },
      intake: createContractIntake({ store, catalogue, trust, clock, logger }),
      tls: () => own.tls.current,
      told: () => {
        toldAnchor = catalogue.anchorState.number
        return {
          'spean-anchor': String(toldAnchor),
          'spean-snapshot': String(catalogue.health.highest),
        }
      },
      waitSeconds: config.catalogueWaitSeconds,
      onTaken: () => agreements.signExpected(),
    }),
  )
  // Its operator waits for all gateways to have the next anchor.
  catalogue.subscribe(() => {
    if (toldAnchor !== catalogue.anchorState.number) feed?.hurry()
  })
  scope.use(startExpiryWatch({ store, clock, logger }))
  return {
    contracts: { ...createContracts(store), lookFor: createLookFor({ store, feed }) },
    ending: () => endingContracts(store, clock()),
    routes: createContractRoutes({
      ...{ store, agreements, clock, feed },
      snapshot: () => catalogue.newest,
    }),
  }
}
