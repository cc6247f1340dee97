import { ExchangeError } from '../../protocol/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import { ADMINISTRATOR, type Route } from '../../runtime/admin-api.ts'
import { media } from '../../runtime/route-description.ts'
import { evidenceArchive } from '../../exchange-log/evidence/archive.ts'
import { visibleRecords } from '../auditing/scope.ts'
import type { EvidenceService } from '../evidence/evidence-service.ts'
import type { Side } from '../../exchange-log/record.ts'
import { parseParameters, type Parameters } from './log-query.ts'

export const EVIDENCE_PARAMETERS = {
  side: {
    schema: { type: 'string', enum: ['client', 'provider'] },
    description: 'Which of its records, when the gateway had both roles.',
  },
  incomplete: {
    schema: { type: 'string', enum: ['allow'] },
    description: 'Also when something that proves it is not there yet, or is lost.',
  },
} as const satisfies Parameters

const EXCHANGE_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Evidence of single exchanges, as archives (protocol/README.md §12.6). */
export function createEvidenceRoutes(evidence: EvidenceService, logger: Logger): Route[] {
  return [
    {
      method: 'GET',
      path: '/evidence/:exchangeId',
      access: 'admin',
      about: {
        operationId: 'getEvidence',
        summary: 'Evidence of one exchange',
        details: 'An archive that proves the exchange without us (docs/evidence.md).',
        query: EVIDENCE_PARAMETERS,
        answers: { 200: media('application/zip') },
        refusals: ['admin.not-found', 'evidence.altered', 'evidence.incomplete', 'log.unavailable'],
      },
      handle: async ({ params, query, principal = ADMINISTRATOR }) => {
        const { exchangeId = '' } = params
        if (!EXCHANGE_ID.test(exchangeId)) {
          throw new ExchangeError('admin.not-found', `the log has no exchange ${exchangeId}`)
        }
        const { side, incomplete } = parseParameters(query, EVIDENCE_PARAMETERS)
        const archive = evidenceArchive(
          await evidence.obtain({
            ...{ exchangeId, allowIncomplete: incomplete !== undefined },
            side: side as Side | undefined,
            visible: (records) => visibleRecords(principal, records),
          }),
        )
        archive.once('error', (err) => {
          logger.error({ id: exchangeId, err }, 'an archive of evidence broke off')
        })
        return {
          headers: {
            'content-type': 'application/zip',
            'content-disposition': `attachment; filename="evidence-${exchangeId}.zip"`,
            'cache-control': 'no-store',
          },
          body: archive,
        }
      },
    },
  ]
}
