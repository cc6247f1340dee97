import type { ContentReader } from '../../exchange-log/content.ts'
import { policyOf } from '../../exchange-log/evidence/policy.ts'
import type { Integrator, LogKey } from '../../exchange-log/integrator.ts'
import type { LogStores } from '../../exchange-log/open-log.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { LogStamper } from '../time-stamps/log-stamper.ts'
import type { SignatureStamps } from '../time-stamps/signature-stamps.ts'
import { createEvidenceService, type EvidenceService } from './evidence-service.ts'

/** The evidence of a gateway's own log. */
export function openEvidence(deps: {
  readonly stores: LogStores
  readonly content: ContentReader
  readonly integrator: Pick<Integrator, 'integrateNow'>
  readonly stamper: Pick<LogStamper, 'stampNow'>
  readonly signatureStamps: SignatureStamps
  readonly key: LogKey
  /** The policy of the newest snapshot (protocol/README.md §12.4); undefined while there is none. */
  readonly policy?: () => string | undefined
  readonly clock: Clock
  readonly logger: Logger
}): EvidenceService {
  const {
    stores,
    integrator,
    stamper,
    key,
    policy = () => undefined,
    ...rest
  } = deps
  const { records, tree, stamps, validation } = stores
  return createEvidenceService({
    ...{ ...rest, records, tree, stamps, validation },
    policy: () => policyOf(policy(), key.verifier),
    origin: key.verifier.name,
    integrateNow: () => integrator.integrateNow(),
    stampNow: () => stamper.stampNow(),
  })
}
