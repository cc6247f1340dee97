import { formatId, type GatewayId } from '../../protocol/identifiers.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Metrics } from '../../runtime/metrics.ts'
import type { SnapshotClient } from '../catalogue/snapshot-client.ts'
import type { IndexedSnapshot } from '../catalogue/view.ts'
import { registerFindings } from '../metrics.ts'
import type { Validation } from '../ports.ts'
import { createCallValidation, type CallValidation } from './call-validation.ts'
import { createDescriptions } from './descriptions.ts'
import { createValidation } from './validation.ts'

/** Compiles what each snapshot brings for the services of this gateway, before they are called. */
export function openValidation(deps: {
  readonly id: GatewayId
  readonly catalogue: Pick<SnapshotClient, 'description' | 'subscribe'>
  readonly metrics: Metrics
  readonly logger: Logger
}): Validation & CallValidation {
  const { id, catalogue, metrics, logger } = deps
  const fetch = (digest: string): Promise<Buffer> => catalogue.description(digest)
  const descriptions = createDescriptions({ fetch, logger })
  catalogue.subscribe((snapshot) => void descriptions.prepare(digestsFor(snapshot, id)))
  const validation = createValidation({ descriptions, count: registerFindings(metrics) })
  return { ...validation, ...createCallValidation(descriptions) }
}

function digestsFor(snapshot: IndexedSnapshot, id: GatewayId): string[] {
  const clients = snapshot.gateway(formatId(id))?.clients ?? []
  return [...clients]
    .flatMap((client) => snapshot.servicesOf(client) ?? [])
    .filter(({ validation = 'off' }) => validation !== 'off')
    .flatMap(({ descriptionDigest }) => descriptionDigest ?? [])
}
