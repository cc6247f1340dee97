import { ExchangeError } from '../../protocol/errors.ts'
import type { SupposedCall } from '../../protocol/explanation.ts'
import { formatId, memberOf } from '../../protocol/identifiers.ts'
import { isMetadataService } from '../../protocol/methods.ts'
import type { GatewayEntry, CatalogueView } from '../catalogue-view.ts'
import { CLIENT_CHECKS } from '../checks/client.ts'
import { gatewaysFor, PROVIDER_CHECKS } from '../checks/provider.ts'
import type { ContractClauses } from '../contracts/contracts.ts'
import type { ClientGateway } from '../ports.ts'
import type { Findings } from './findings.ts'
import { supposedCall, judgeClauses, NO_BODY, readCall, type ReadCall } from './supposed.ts'

export interface ClientSide {
  readonly gw: Pick<
    ClientGateway,
    'id' | 'clock' | 'clockCheck' | 'catalogue' | 'signer' | 'authentication'
  > & { readonly contracts: ClientGateway['contracts'] & ContractClauses }
  /** @throws ExchangeError `request.body-too-large` as for a body that comes. */
  readonly verifyBodySize: (bytes: number) => void
  /** @throws ExchangeError `log.unstamped`. */
  readonly verifyStamped: () => void
}
/** What is there to ask the provider's gateway. */
export interface Reachable {
  readonly gateways: readonly GatewayEntry[]
  /** Digest of the contract that the call would name, or of the one that refuses it. */
  readonly contract: string | undefined
}

/**
 * Judges a call as this gateway would before it sends it: every check that can be judged by itself, by the functions
 * that its steps run (protocol/README.md §15).
 *
 * @param isShown whether the information system that asks has shown that it is the client.
 * @returns undefined when nobody could be asked.
 */
export async function explainClientSide(
  said: SupposedCall,
  isShown: boolean,
  { gw, verifyBodySize, verifyStamped }: ClientSide,
  findings: Findings,
): Promise<Reachable | undefined> {
  const at = gw.clock()
  const call = await readCall(said, 'read-request', findings)
  const clock = 'clock of the gateway is right'
  await findings.judge('identify-client', clock, () => gw.clockCheck.verify())
  const catalogue = await findings.judge(
    'identify-client',
    'snapshot is there and holds',
    () => gw.catalogue.atLeast(0, at),
    ({ number }) => ({ basis: { snapshot: number } }),
  )
  if (call === undefined || catalogue === undefined) {
    const lack = call === undefined ? 'the call cannot be read' : 'there is no snapshot to go by'
    findings.skip('resolve-service', 'everything else', lack)
    return undefined
  }
  findings.decideBy({ snapshot: catalogue.number })
  const { client, target } = call
  await findings.judgeAll('identify-client', CLIENT_CHECKS, {
    ...{ client, catalogue },
    gateway: formatId(gw.id),
  })
  const certificate = 'certificate of the information system'
  if (isShown) await findings.judge('identify-client', certificate, () => undefined)
  else findings.skip('identify-client', certificate, 'it shows itself when the system calls')
  const sought = { client, catalogue, target, receivedAt: at, call: { securityServer: undefined } }
  await findings.judgeAll('resolve-service', PROVIDER_CHECKS, sought)

  const size = 'body is no longer than the gateway takes'
  const { bodySize } = said
  if (bodySize === undefined) findings.skip('receive-body', size, NO_BODY)
  else await findings.judge('receive-body', size, () => verifyBodySize(bodySize))
  const contract = await judgeContracts(call, catalogue, at, gw, findings)
  await findings.judge('sign-request', 'certificate of the gateway is good', () =>
    gw.authentication.verifyActive(catalogue, at),
  )
  await findings.judge('sign-request', 'signing certificate of the client is good', () =>
    gw.signer.verifyCanSign(memberOf(client), catalogue, at),
  )
  await findings.judge('record-request', 'log is not waiting for a time-stamp', verifyStamped)
  findings.skip('record-request', 'record is written', 'nothing is recorded of a question')
  return { gateways: gatewaysFor(sought), contract }
}

/** Of the contract that is named or that the call would go by; when none allows it, of the one that is told. */
async function judgeContracts(
  call: ReadCall,
  catalogue: CatalogueView,
  at: Date,
  { contracts }: ClientSide['gw'],
  findings: Findings,
): Promise<string | undefined> {
  const { said, target } = call
  if (isMetadataService(target.service.service)) return undefined
  const asked = supposedCall(call, catalogue, at)
  let digest = said.contract
  if (digest === undefined) {
    digest = chosen(() => contracts.choose(asked))
    if (digest === undefined) {
      const detail = 'there is none for the service: a grant of the provider has to allow it'
      await findings.judge(
        'sign-request',
        'contract',
        () => undefined,
        () => ({ detail }),
      )
      return undefined
    }
  }
  await judgeClauses('sign-request', contracts.clauses(digest, asked), said, findings)
  return digest
}

/** The contract that a call goes by; of a refusal the one that it names. */
function chosen(choose: () => string | undefined): string | undefined {
  try {
    return choose()
  } catch (error) {
    if (error instanceof ExchangeError && error.basis?.contract) return error.basis.contract
    throw error
  }
}
