import { ExchangeError } from '../../protocol/errors.ts'
import type { SupposedCall } from '../../protocol/explanation.ts'
import { formatId, memberOf, readGatewayId, type GatewayId } from '../../protocol/identifiers.ts'
import { isMetadataService } from '../../protocol/methods.ts'
import type { GatewayEntry, CatalogueView } from '../catalogue-view.ts'
import { CLIENT_CHECKS } from '../checks/client.ts'
import { gatewaysFor, PROVIDER_CHECKS } from '../checks/provider.ts'
import type { ContractClauses } from '../contracts/contracts.ts'
import type { ClientGateway } from '../ports.ts'
import type { Findings } from './findings.ts'
import {
  supposedCall,
  judgeBodySize,
  judgeClauses,
  judgeRecording,
  readCall,
  type OwnLimits,
  type ReadCall,
} from './supposed.ts'

export interface ClientSide extends OwnLimits {
  readonly gw: Pick<
    ClientGateway,
    'id' | 'clock' | 'clockCheck' | 'catalogue' | 'signer' | 'authentication'
  > & { readonly contracts: ClientGateway['contracts'] & ContractClauses }
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
 * @param asked.isShown whether the information system that asks has shown that it is the client.
 * @param asked.securityServer the gateway of the provider that the call would ask for, decoded form.
 * @returns undefined when nobody could be asked.
 */
export async function explainClientSide(
  said: SupposedCall,
  asked: { readonly isShown: boolean; readonly securityServer?: string },
  side: ClientSide,
  findings: Findings,
): Promise<Reachable | undefined> {
  const { gw } = side
  const at = gw.clock()
  const read = await readCall(said, 'read-request', findings)
  const { isReadable, securityServer } = await readWanted(asked.securityServer, findings)
  const call = isReadable ? read : undefined
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
  if (asked.isShown) await findings.judge('identify-client', certificate, () => undefined)
  else findings.skip('identify-client', certificate, 'it shows itself when the system calls')
  const sought = { client, catalogue, target, receivedAt: at, call: { securityServer } }
  await findings.judgeAll('resolve-service', PROVIDER_CHECKS, sought)

  await judgeBodySize('receive-body', said, side, findings)
  const contract = await judgeContracts(call, catalogue, at, gw, findings)
  await findings.judge('sign-request', 'certificate of the gateway is good', () =>
    gw.authentication.verifyActive(catalogue, at),
  )
  await findings.judge('sign-request', 'signing certificate of the client is good', () =>
    gw.signer.verifyCanSign(memberOf(client), catalogue, at),
  )
  await judgeRecording(side, findings)
  return { gateways: gatewaysFor(sought), contract }
}

/** The gateway that a call asks for; a call that names none readable is none. */
async function readWanted(
  text: string | undefined,
  findings: Findings,
): Promise<{ readonly isReadable: boolean; readonly securityServer: GatewayId | undefined }> {
  if (text === undefined) return { isReadable: true, securityServer: undefined }
  const name = 'gateway of the provider can be read'
  const securityServer = await findings.judge('read-request', name, () => readGatewayId(text))
  return { isReadable: securityServer !== undefined, securityServer }
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
