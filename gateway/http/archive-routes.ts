import { ExchangeError } from '../../protocol/errors.ts'
import type { ArchiveSchedule } from '../../exchange-log/archive/archive-schedule.ts'
import { archivesOf } from '../../exchange-log/archive/archiver.ts'
import type { LogStores } from '../../exchange-log/open-log.ts'
import { bodyParser, type Route } from '../../runtime/admin-api.ts'

/** Whoever has the administration's token. */
const ACTOR = 'administrator'

const parseUpTo = bodyParser<{ upTo: number }>({
  type: 'object',
  additionalProperties: false,
  required: ['upTo'],
  properties: { upTo: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER } },
})

/** What was archived, and archiving now. @param schedule undefined when archives have no place. */
export function createArchiveRoutes(
  stores: Pick<LogStores, 'records'>,
  schedule: ArchiveSchedule | undefined,
): Route[] {
  return [
    {
      method: 'GET',
      path: '/admin/log-archives',
      access: 'admin',
      handle: async () => {
        const { first, last } = await stores.records.extent()
        const archives = await archivesOf(stores)
        const { last: made, ...health } = schedule?.health() ?? {}
        return { body: { ...health, ...(made && { made }), archives, first, last } }
      },
    },
    {
      method: 'POST',
      path: '/admin/log-archives',
      access: 'admin',
      handle: ({ body }) => {
        const { upTo } = parseUpTo(body)
        if (schedule === undefined) {
          throw new ExchangeError('admin.invalid', 'the configuration has no exchangeLog.archive')
        }
        if (!schedule.begin({ position: upTo }, ACTOR)) {
          throw new ExchangeError('admin.conflict', 'archiving is under way already')
        }
        return { status: 202, body: schedule.health() }
      },
    },
  ]
}
