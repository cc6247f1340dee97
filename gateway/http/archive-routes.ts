import { ExchangeError } from '../../protocol/errors.ts'
import type { ArchiveSchedule } from '../../exchange-log/archive/archive-schedule.ts'
import { archivesOf } from '../../exchange-log/archive/archiver.ts'
import type { LogStores } from '../../exchange-log/open-log.ts'
import { bodyParser, type Route } from '../../runtime/admin-api.ts'
import {
  flag,
  json,
  listOf,
  named,
  object,
  text,
  time,
  whole,
} from '../../runtime/route-description.ts'

/** Whoever has the administration's token. */
const ACTOR = 'administrator'

const parseUpTo = bodyParser<{ upTo: number }>({
  type: 'object',
  additionalProperties: false,
  required: ['upTo'],
  properties: { upTo: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER } },
})

const ARCHIVE = named(
  'Archive',
  object({ first: whole, last: whole, archive: text, sha256: text, place: text }),
)
const STATE = { lastRunAt: time, fault: text, faultCode: text }
const HEALTH = object({ place: text, isRunning: flag }, { ...STATE, last: ARCHIVE })
const ARCHIVES = object(
  { archives: listOf(ARCHIVE), first: whole, last: whole },
  { place: text, isRunning: flag, ...STATE, made: ARCHIVE },
)

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
      about: { summary: 'Archives of the exchange log', answers: { 200: json(ARCHIVES) } },
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
      about: {
        summary: 'Archive the exchange log up to a position',
        details: 'What comes of it, GET tells.',
        body: parseUpTo,
        answers: { 202: json(HEALTH) },
        refusals: ['admin.conflict'],
      },
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
