import type { ContentReader } from '../../exchange-log/content.ts'
import type { EvidenceSources } from '../../exchange-log/evidence/gather.ts'
import { policyOf } from '../../exchange-log/evidence/policy.ts'
import { readOcspProducedAt } from '../../pki/ocsp-verify.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import type { KeptOcspAnswer } from '../../exchange-log/validation-store.ts'
import type { OcspCache } from '../trust/ocsp-cache.ts'
import type { Integrator, LogKey } from '../../exchange-log/integrator.ts'
import type { LogStores } from '../../exchange-log/open-log.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { LogStamper } from '../time-stamps/log-stamper.ts'
import type { SignatureStamps } from '../time-stamps/signature-stamps.ts'
import { createEvidenceService, type EvidenceService } from './evidence-service.ts'

/** The evidence of a gateway's own log. */
export function openEvidence(deps: {
  readonly stores: Omit<LogStores, 'records'> & Pick<EvidenceSources, 'records'>
  readonly content: ContentReader
  readonly integrator: Pick<Integrator, 'integrateNow'>
  readonly stamper: Pick<LogStamper, 'stampNow'>
  readonly signatureStamps: SignatureStamps
  readonly ocsp: Pick<OcspCache, 'check'>
  readonly key: LogKey
  /** The policy of the newest snapshot (protocol/README.md §12.4); undefined while there is none. */
  readonly policy?: () => string | undefined
  readonly clock: Clock
  readonly logger: Logger
}): EvidenceService {
  const { stores, integrator, stamper, key, ocsp, policy = () => undefined, ...rest } = deps
  const { records, tree, stamps, validation } = stores
  return createEvidenceService({
    ...{ ...rest, records, tree, stamps, validation },
    policy: () => policyOf(policy(), key.verifier),
    origin: key.verifier.name,
    integrateNow: () => integrator.integrateNow(),
    stampNow: () => stamper.stampNow(),
    askState: (certificate, issuer) => askState(ocsp, rest.clock(), certificate, issuer),
  })
}

/** Of who makes time-stamps the gateway needs no state; a verifier of JAdES does. Without an answer there is none. */
async function askState(
  ocsp: Pick<OcspCache, 'check'>,
  at: Date,
  certificate: Certificate,
  issuer: Certificate,
): Promise<KeptOcspAnswer | undefined> {
  if (certificate.ocspUrls.length === 0) return undefined
  try {
    const { der } = await ocsp.check({ certificate, issuer, nonce: 'optional' }, at)
    return { thumbprint: certificate.thumbprint, producedAt: readOcspProducedAt(der), der }
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error
    return undefined
  }
}
