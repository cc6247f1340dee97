import { ExchangeError } from '../../protocol/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import { ADMINISTRATOR, type Route } from '../../runtime/admin-api.ts'
import { evidenceArchive } from '../../exchange-log/evidence/archive.ts'
import { visibleRecords } from '../auditing/scope.ts'
import type { EvidenceService } from '../evidence/evidence-service.ts'

const EXCHANGE_ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Evidence of single exchanges, as archives (protocol/README.md §12.6). */
export function createEvidenceRoutes(evidence: EvidenceService, logger: Logger): Route[] {
  return [
    {
      method: 'GET',
      path: '/evidence/:exchangeId',
      access: 'admin',
      handle: async ({ params, query, principal = ADMINISTRATOR }) => {
        const { exchangeId = '' } = params
        if (!EXCHANGE_ID.test(exchangeId)) {
          throw new ExchangeError('admin.not-found', `the log has no exchange ${exchangeId}`)
        }
        for (const name of query.keys()) {
          if (name === 'side' || name === 'incomplete') continue
          throw new ExchangeError('admin.invalid', `there is no parameter ${name}`)
        }
        const side = oneOf(query, 'side', ['client', 'provider'])
        const allowIncomplete = oneOf(query, 'incomplete', ['allow']) !== undefined
        const archive = evidenceArchive(
          await evidence.obtain({
            ...{ exchangeId, side, allowIncomplete },
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

function oneOf<T extends string>(
  query: URLSearchParams,
  name: string,
  values: readonly T[],
): T | undefined {
  const given = query.get(name)
  if (given === null) return undefined
  const found = values.find((value) => value === given)
  if (found !== undefined) return found
  throw new ExchangeError('admin.invalid', `${name} is ${values.join(' or ')}`)
}
