import { basedOn } from '../../protocol/errors.ts'
import type { SupposedCall } from '../../protocol/explanation.ts'
import { isMetadataService } from '../../protocol/methods.ts'
import type { CatalogueView } from '../catalogue-view.ts'
import { ANSWERING_CHECKS, grantFor, SERVICE_CHECKS } from '../checks/permission.ts'
import type { ContractClauses } from '../contracts/contracts.ts'
import type { Contracts, ProviderGateway } from '../ports.ts'
import type { QuotaLeft, QuotaPeek } from '../quota/exhausted.ts'
import type { Connected } from '../services/services.ts'
import type { CallValidation } from '../validation/call-validation.ts'
import type { Findings } from './findings.ts'
import {
  judgeBodySize,
  judgeClauses,
  judgeRecording,
  readCall,
  supposedCall,
  type OwnLimits,
  type ReadCall,
} from './supposed.ts'

export interface ProviderSide extends OwnLimits {
  readonly gw: Pick<ProviderGateway, 'id' | 'clock' | 'signer' | 'accessRules'> & {
    readonly contracts: ContractClauses & Pick<Contracts, 'lookFor'>
    readonly quotas: QuotaPeek
    readonly services: Connected
    readonly validation: CallValidation
  }
}

/**
 * Judges a call as this gateway would when it came, by the functions that its steps run (protocol/README.md §15). The
 * service is not asked, nothing is counted, and no exchange id is used.
 */
export async function explainProviderSide(
  said: SupposedCall,
  catalogue: CatalogueView,
  side: ProviderSide,
  findings: Findings,
): Promise<void> {
  const { gw } = side
  findings.decideBy({ snapshot: catalogue.number })
  const call = await readCall(said, 'verify-signature', findings)
  findings.skip('verify-signature', 'signature', 'nothing is signed')
  if (call === undefined) return
  const { client, target, method } = call
  const receivedAt = gw.clock()
  const judged = { catalogue, client, target, receivedAt, gw }
  await findings.judgeAll('authorise', ANSWERING_CHECKS, judged)
  if (!isMetadataService(target.service.service)) {
    await findings.judgeAll('authorise', SERVICE_CHECKS, judged)
    if (said.contract === undefined) await judgeGrant(call, catalogue, receivedAt, gw, findings)
    else await judgeContract(call, said.contract, catalogue, receivedAt, gw, findings)
  }
  await judgeBodySize('verify-body', said, side, findings)
  const { bodySize, contentType } = said
  await findings.judge(
    'validate-request',
    'request is described',
    () => gw.validation.verifyCall({ catalogue, target, method, bodySize, contentType }),
    ({ mode, findings: found }) => ({
      detail: found === undefined ? `validation is ${mode}` : `validation is ${mode}: ${found}`,
    }),
  )
  findings.skip('validate-request', 'headers and body', 'they come with a call alone')
  await judgeRecording(side, findings)
  await findings.judge('call-service', 'service has an address at the gateway', () =>
    gw.services.verifyConnected(target.service),
  )
  findings.skip('call-service', 'service answers', 'the service is not called')
}

async function judgeGrant(
  call: ReadCall,
  catalogue: CatalogueView,
  at: Date,
  { accessRules, contracts }: ProviderSide['gw'],
  findings: Findings,
): Promise<void> {
  const { client, target, method, said } = call
  const grant = await findings.judge(
    'authorise',
    'grant for client, method and path',
    () => grantFor({ client, target, method, catalogue }, accessRules),
    ({ id, subject }) => ({ detail: `grant ${id} for ${subject}`, basis: { grant: id } }),
  )
  const asked = supposedCall(call, catalogue, at)
  const basis = grant === undefined ? {} : { grant: grant.id }
  const clauses = contracts.classClauses(asked).map(({ verify, ...clause }) => ({
    ...clause,
    verify: () => basedOn(basis, verify),
  }))
  await judgeClauses('authorise', clauses, said, findings)
}

async function judgeContract(
  call: ReadCall,
  digest: string,
  catalogue: CatalogueView,
  at: Date,
  { contracts, quotas }: ProviderSide['gw'],
  findings: Findings,
): Promise<void> {
  const asked = supposedCall(call, catalogue, at)
  await contracts.lookFor(digest)
  await judgeClauses('authorise', contracts.clauses(digest, asked), call.said, findings)
  const content = findings.passed('contract is known') ? contracts.content(digest) : undefined
  if (content === undefined) return
  const { id, quota, user } = content
  if (user === 'token') {
    findings.skip('authorise', 'token of the user is valid', 'it comes with a call alone')
  }
  await findings.judge(
    'authorise',
    'quota is not used up',
    () => quotas.peek({ digest, id, ...(quota ? { quota } : {}) }, at),
    (left) => (left === undefined ? { detail: 'there is no quota' } : { detail: leftWords(left) }),
  )
}

function leftWords({ perSecond, perDay }: QuotaLeft): string {
  const parts = [
    ...(perSecond === undefined ? [] : [`${perSecond} in this second`]),
    ...(perDay === undefined ? [] : [`${perDay} on this day of UTC`]),
  ]
  return `calls left: ${parts.join(', ')}`
}
