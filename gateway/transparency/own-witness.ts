import { isLogOf } from '../../protocol/checkpoint.ts'
import { readGatewayId } from '../../protocol/identifiers.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import { openWitnessState, type WitnessState } from '../../witness/witness-state.ts'
import { createWitness, type Witness, type WitnessKey } from '../../witness/witness.ts'
import type { SnapshotClient } from '../catalogue/snapshot-client.ts'

export interface OwnWitness extends Disposable {
  readonly witness: Witness
  readonly state: WitnessState
}

/**
 * This gateway as a witness of the logs that the newest snapshot names; never of its own.
 *
 * @throws ConfigError when its state cannot be opened.
 */
export function openOwnWitness(deps: {
  readonly gatewayId: string
  readonly stateDir: string
  readonly key: WitnessKey
  readonly catalogue: Pick<SnapshotClient, 'newest'>
  readonly clock: Clock
  readonly logger: Logger
}): OwnWitness {
  const { gatewayId, stateDir, key, catalogue, clock, logger } = deps
  const id = readGatewayId(gatewayId)
  const state = openWitnessState(`${stateDir}/witness.db`)
  const witness = createWitness({
    ...{ key, state, clock, logger },
    keysOf: (origin) => {
      if (isLogOf(id, origin)) return []
      const logs = catalogue.newest?.logPolicy?.policy.logs ?? []
      return logs.map(({ verifier }) => verifier).filter(({ name }) => name === origin)
    },
  })
  return { witness, state, [Symbol.dispose]: () => state[Symbol.dispose]() }
}
