/** Says of a call whether it may be made now, step by step, without making it (protocol/README.md §15). */
import { ExchangeError } from '../../protocol/errors.ts'
import {
  parseSupposedCall,
  type ExplainedCheck,
  type ProviderAnswer,
  type SupposedCall,
} from '../../protocol/explanation.ts'
import { formatId, type ClientId } from '../../protocol/identifiers.ts'
import { parseTarget } from '../../protocol/target.ts'
import type { Logger } from '../../runtime/logger.ts'
import { verifyClient } from '../checks/information-system.ts'
import { verifyPeer, verifySpokenFor } from '../checks/peer.ts'
import type { Asked, Received } from '../exchange-state.ts'
import type { PeerQuestions } from '../peers/peers.ts'
import type { ClientGateway, ProviderGateway } from '../ports.ts'
import type { WorkBudget } from '../trust/work-budget.ts'
import { askProvider } from './ask-provider.ts'
import { explainClientSide, type ClientSide } from './client-side.ts'
import { createFindings } from './findings.ts'
import { explainProviderSide, type ProviderSide } from './provider-side.ts'

export interface Explanation {
  /** `unknown`: nothing refuses, but not every side was heard. */
  readonly verdict: 'may' | 'may-not' | 'unknown'
  readonly at: Date
  /** Which gateway of the provider was heard, and by which snapshot it judged. */
  readonly provider?: { readonly gateway: string; readonly snapshot?: number }
  readonly checks: readonly ExplainedCheck[]
}

export interface Explaining {
  explain(
    said: SupposedCall,
    options: {
      /** Whether {@link verifyClient} has let the client pass. */
      readonly isShown: boolean
      readonly withProvider: boolean
      /** The gateway of the provider that the call would ask for, decoded form. */
      readonly securityServer?: string
    },
  ): Promise<Explanation>
  /** Who may ask for a client: its own information systems. @throws ExchangeError as `identify-client`. */
  verifyClient(
    client: ClientId,
    shown: Pick<Asked, 'certificate' | 'receivedAt' | 'overTls'>,
  ): Promise<unknown>
  /**
   * Answers the gateway of a client.
   *
   * @param readBody waits for the body, which only a listed gateway may send.
   * @throws ExchangeError with the step: as `authenticate-peer`, `peer.client-mismatch`, `request.*`.
   */
  answerPeer(
    received: Pick<Received, 'certificate' | 'receivedAt'>,
    readBody: () => Promise<Buffer>,
  ): Promise<ProviderAnswer>
}

interface Deps extends Omit<ClientSide, 'gw'> {
  readonly gw: ClientSide['gw'] &
    ProviderSide['gw'] &
    Pick<ClientGateway & ProviderGateway, 'informationSystems' | 'trust'>
  readonly peers: PeerQuestions
  /** Whether other gateways are told. */
  readonly tellsPeers: boolean
  /** For each client of each gateway that asks. */
  readonly budget: WorkBudget
  readonly logger: Logger
}

export function createExplaining(deps: Deps): Explaining {
  const { gw, peers, tellsPeers, budget, logger } = deps
  return {
    verifyClient: (client, shown) =>
      inStep('identify-client', () => verifyClient(client, shown, gw)),
    explain: async (said, { withProvider, ...asked }) => {
      const findings = createFindings('client')
      const reachable = await explainClientSide(said, asked, deps, findings)
      const isServed = findings.passed('gateway serves the client')
      const { gateways = [], contract } = reachable ?? {}
      const isAsked = withProvider && isServed && reachable !== undefined
      const why = withProvider ? 'the call does not come so far' : 'it was not to be asked'
      if (!isAsked) findings.skip('send-to-provider', "checks of the provider's gateway", why)
      const question = { ...said, ...(contract === undefined ? {} : { contract }) }
      const heard = isAsked ? await askProvider(gateways, question, peers, findings) : undefined
      const checks = [...findings.checks, ...(heard?.checks ?? [])]
      const isRefused = checks.some(({ outcome }) => outcome === 'refuses')
      const verdict = isRefused ? 'may-not' : heard === undefined ? 'unknown' : 'may'
      logger.info({ ...namesOf(said), verdict }, 'call explained')
      const { checks: _checks, ...provider } = heard ?? { checks }
      return {
        verdict,
        at: gw.clock(),
        ...('gateway' in provider ? { provider } : {}),
        checks,
      }
    },
    answerPeer: async (received, readBody) => {
      const { peer, catalogue } = await inStep('authenticate-peer', () => verifyPeer(received, gw))
      const said = parseSupposedCall(await readBody())
      await inStep('verify-signature', () => verifySpokenFor(peer, said.client, peer.id))
      if (!tellsPeers) return { withheld: 'off' }
      if (!budget.spend(`${peer.id} ${said.client}`)) return { withheld: 'too-often' }
      const findings = createFindings('provider')
      await explainProviderSide(said, catalogue, deps, findings)
      logger.info({ peer: peer.id, ...namesOf(said) }, 'call explained to another gateway')
      return { snapshot: catalogue.number, checks: findings.checks }
    },
  }
}

/** For the log: path and query may be about a person, and what cannot be read may be all that. */
function namesOf({ client, target }: SupposedCall): object {
  return { client: client.slice(0, 600), service: serviceOf(target) }
}

function serviceOf(target: string): string | undefined {
  try {
    return formatId(parseTarget(target).service)
  } catch (error) {
    if (error instanceof ExchangeError) return undefined
    throw error
  }
}

async function inStep<T>(step: string, run: () => T | Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof ExchangeError) error.step ??= step
    throw error
  }
}
