import { ExchangeError } from '../protocol/errors.ts'
import { bodyParser, type ApiReply, type ApiRequest, type Route } from '../runtime/admin-api.ts'
import {
  json,
  listOf,
  object,
  oneOf,
  putAnswers,
  text,
  time,
  type RouteDescription,
} from '../runtime/route-description.ts'
import { lowestVersion } from './comparison/versions.ts'
import type { CatalogueContext } from './context.ts'
import { CURSOR, displayText, invalid } from './input.ts'
import { CHANGE_REFUSALS, DIFFERENCE, EVENTS, SERVICE } from './service-schemas.ts'
import {
  compareWithInForce,
  conflict,
  effectOf,
  readInstant,
  tellPublished,
} from './service-changes.ts'
import { readDescription } from './service-description.ts'
import { recordServiceEvent, serviceEvents } from './service-events.ts'
import { setLife } from './service-life.ts'
import { retire } from './service-upkeep.ts'
import {
  existingService,
  findService,
  readServiceId,
  SERVICE_PATH,
  type ServiceView,
} from './services.ts'

const parseDeprecation = bodyParser<{ sunset: string; successor?: string; reason?: string }>({
  type: 'object',
  additionalProperties: false,
  required: ['sunset'],
  properties: {
    sunset: { type: 'string', maxLength: 40 },
    successor: { type: 'string', maxLength: 500, nullable: true },
    reason: { ...displayText, nullable: true },
  },
})
const parseReason = bodyParser<{ reason?: string }>({
  type: 'object',
  additionalProperties: false,
  required: [],
  properties: { reason: { ...displayText, nullable: true } },
})
const parseComparison = bodyParser<{ description?: Record<string, unknown>; title?: string }>({
  type: 'object',
  additionalProperties: false,
  required: [],
  properties: {
    description: { type: 'object', required: [], nullable: true },
    title: { ...displayText, nullable: true },
  },
})

const COMPARISON = object({
  version: text,
  level: oneOf('none', 'breaking', 'compatible', 'editorial'),
  lowestVersion: text,
  effectiveAt: time,
  differences: listOf(DIFFERENCE),
})

const HISTORY_EVENTS = 1000

/** Draft, published, deprecated, retired; and what a change would do, before it is made. */
export function createServiceLifeRoutes(context: CatalogueContext): Route[] {
  const { db, instance, clock, changes, changeNoticeMs } = context
  const idOf = (request: ApiRequest): string => readServiceId(instance, request)
  const step = (
    name: string,
    told: Pick<RouteDescription, 'summary' | 'body' | 'isBodyOptional'>,
    apply: (service: ServiceView, request: ApiRequest) => void,
  ): Route => ({
    method: 'POST',
    path: `${SERVICE_PATH}/${name}`,
    access: 'service-owner',
    about: {
      ...told,
      answers: putAnswers(SERVICE),
      refusals: ['admin.not-found', ...CHANGE_REFUSALS],
    },
    handle: (request): Promise<ApiReply> => {
      const id = idOf(request)
      return changes.put({
        action: `${name}-service`,
        subject: `service ${id}`,
        read: () => findService(db, id),
        apply: () => apply(existingService(db, id), request),
      })
    },
  })
  const tell = (
    type: 'service.deprecated' | 'service.change-withdrawn',
    id: string,
    version: string,
    data: object,
  ): void => recordServiceEvent(db, { type, service: id, version, data: { ...data } }, clock())
  return [
    step('publish', { summary: 'Publish a draft' }, ({ id, state }) => {
      if (state === 'published') return
      if (state === 'retired') throw conflict(`${id} is retired, and stays so`)
      setLife(db, id, { state: 'published', deprecatedAt: null, sunset: null, successor: null })
      tellPublished(context, id)
    }),
    step(
      'deprecate',
      { summary: 'Deprecate a service', body: parseDeprecation },
      ({ id, state, version, ...before }, request) => {
        const { reason, successor, sunset } = parseDeprecation(request.body)
        if (state === 'draft' || state === 'retired') throw conflict(`${id} is ${state}`)
        const until = readInstant('sunset', sunset).toISOString()
        if (until === before.sunset && successor === before.successor) return
        checkSuccessor(context, id, successor)
        // Later than before leaves consumers more time than they were told
        const isLater = before.sunset !== undefined && until >= before.sunset
        const notice = isLater ? 0 : changeNoticeMs
        effectOf(
          context,
          notice,
          { effectiveAt: until, ...(reason === undefined ? {} : { reason }) },
          request.principal,
        )
        const deprecatedAt = before.deprecatedAt ?? clock().toISOString()
        setLife(db, id, {
          state: 'deprecated',
          deprecatedAt,
          sunset: until,
          successor: successor ?? null,
        })
        tell('service.deprecated', id, version, { sunset: until, successor, reason })
      },
    ),
    step(
      'retire',
      { summary: 'Retire a service', body: parseReason, isBodyOptional: true },
      ({ id, state, sunset }, { body, principal }) => {
        const given = parseReason(body ?? {})
        if (state === 'retired') return
        if (state === 'draft') throw conflict(`${id} is a draft; remove it`)
        const isDue = sunset !== undefined && Date.parse(sunset) <= clock().getTime()
        if (!isDue && (given.reason === undefined || principal?.role !== 'admin')) {
          const when =
            sunset === undefined ? 'has no date: deprecate it first' : `retires on ${sunset}`
          throw new ExchangeError(
            'service.change-too-early',
            `${id} ${when}; the operator can retire it now with a reason`,
          )
        }
        retire(db, id, clock(), given)
      },
    ),
    step('withdraw', { summary: 'Withdraw a change that is planned' }, ({ id, planned }) => {
      if (planned === undefined) throw conflict(`nothing is planned for ${id}`)
      db.run('DELETE FROM planned_change WHERE service = ?', id)
      tell('service.change-withdrawn', id, planned.version, { effectiveAt: planned.effectiveAt })
    }),
    {
      method: 'POST',
      path: `${SERVICE_PATH}/compare`,
      access: 'service-owner',
      about: {
        summary: 'What a change would do',
        body: parseComparison,
        answers: { 200: json(COMPARISON) },
        refusals: ['admin.not-found'],
      },
      handle: async (request) => {
        const { title, descriptionDigest = null, version } = existingService(db, idOf(request))
        const body = parseComparison(request.body)
        const described = body.description && (await readDescription(body.description))
        const { level, differences } = compareWithInForce(
          db,
          { title, descriptionDigest },
          body.title ?? title,
          described,
        )
        const notice = level === 'breaking' ? changeNoticeMs : 0
        const effectiveAt = new Date(clock().getTime() + notice).toISOString()
        const lowest = lowestVersion(version, level)
        return {
          body: {
            version,
            level: level ?? 'none',
            lowestVersion: lowest,
            effectiveAt,
            differences,
          },
        }
      },
    },
    {
      method: 'GET',
      path: `${SERVICE_PATH}/history`,
      access: 'reader',
      about: {
        summary: 'What happened to a service',
        query: CURSOR,
        answers: { 200: json(object({ service: text, ...EVENTS })) },
      },
      handle: (request) => {
        const service = idOf(request)
        const after = Number(request.query.get('after') ?? 0)
        if (!Number.isSafeInteger(after) || after < 0) throw invalid('after', 'send a whole number')
        const events = serviceEvents(db, { after, service, limit: HISTORY_EVENTS })
        return { body: { service, events, next: events.at(-1)?.position ?? after } }
      },
    },
  ]
}

function checkSuccessor({ db }: CatalogueContext, id: string, successor: string | undefined): void {
  if (successor === undefined) return
  const state = findService(db, successor)?.state
  if (successor !== id && (state === 'published' || state === 'deprecated')) return
  throw invalid(
    'successor',
    `${successor} is no other service that is published; write its whole id`,
  )
}
