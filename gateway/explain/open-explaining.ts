import type { Logger } from '../../runtime/logger.ts'
import { createWorkBudget } from '../trust/work-budget.ts'
import { createExplaining, type Explaining } from './explain.ts'

type Given = Parameters<typeof createExplaining>[0]

/** Questions in a minute about one client of one gateway: people ask, and their scripts. */
const PER_MINUTE = 120

/** @param config `peers` or left out: other gateways are told as much as a refusal would tell them. */
export function openExplaining(
  config: { readonly explain?: 'peers' | 'off' },
  deps: Pick<Given, 'gw' | 'peers' | 'verifyBodySize' | 'verifyStamped'> & {
    readonly logger: Logger
  },
): Explaining {
  const budget = createWorkBudget(PER_MINUTE)
  return createExplaining({ ...deps, tellsPeers: config.explain !== 'off', budget })
}
