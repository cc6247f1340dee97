import { ANY_PATH } from '../protocol/endpoint.ts'
import type { Endpoint, SnapshotService } from '../protocol/snapshot.ts'
import { bodyParser, type ApiRequest, type Route } from '../runtime/admin-api.ts'
import { json, listOf, NOTHING, object, putAnswers } from '../runtime/route-description.ts'
import { unknown } from './changes.ts'
import type { CatalogueContext } from './context.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { displayText, invalid, readPathId } from './input.ts'
import {
  putInForce,
  refuseEarlyRemoval,
  wantedVersionProperties,
  type WantedVersion,
} from './service-changes.ts'
import { checkFieldClasses, storeFields } from './service-fields.ts'
import { indexService } from './service-index.ts'
import { readDescription, type ServiceDescription } from './service-description.ts'
import { CHANGE_REFUSALS, SERVICE } from './service-schemas.ts'
import { plannedChange, toLife, type LifeColumns, type PlannedView } from './service-life.ts'
import { existingSubsystem } from './subsystems.ts'

export interface ServiceView extends Omit<SnapshotService, 'code' | 'state'> {
  readonly id: string
  readonly version: string
  readonly state: LifeColumns['state']
  readonly planned?: PlannedView
}

export const SERVICE_PATH = '/admin/services/:class/:member/:subsystem/:service'

/** X-Road gives these a meaning of their own (PR-META, PR-MREST, PR-OPMON, PR-ENVMONMES). */
const RESERVED_CODES = [
  'listMethods',
  'allowedMethods',
  'getOpenAPI',
  'getWsdl',
  'listClients',
  'getSecurityServerMetrics',
  'getSecurityServerOperationalData',
  'getSecurityServerHealthData',
]

interface ServiceBody extends WantedVersion {
  title: string
  /** OpenAPI 3.0 or 3.1. */
  description?: Record<string, unknown>
  /** Left out, it is unknown. */
  classification?: (typeof CLASSIFICATIONS)[number]
  /** Left out, it is off. */
  validation?: (typeof VALIDATIONS)[number]
}
const CLASSIFICATIONS = ['public', 'internal', 'personal', 'sensitive'] as const
const VALIDATIONS = ['enforce', 'report', 'off'] as const

const parseService = bodyParser<ServiceBody>({
  type: 'object',
  additionalProperties: false,
  required: ['title'],
  properties: {
    title: displayText,
    description: { type: 'object', required: [], nullable: true },
    classification: { type: 'string', enum: CLASSIFICATIONS, nullable: true },
    validation: { type: 'string', enum: VALIDATIONS, nullable: true },
    ...wantedVersionProperties,
  },
})

export function createServiceRoutes(context: CatalogueContext): Route[] {
  const { db, instance, changes } = context
  const idOf = (request: ApiRequest): string => readServiceId(instance, request)
  return [
    {
      method: 'GET',
      path: '/admin/services',
      access: 'reader',
      about: { summary: 'Services', answers: { 200: json(object({ services: listOf(SERVICE) })) } },
      handle: () => ({
        body: { services: db.all<ServiceRow>(`${SELECT} ORDER BY id`).map(toView) },
      }),
    },
    {
      method: 'GET',
      path: SERVICE_PATH,
      access: 'reader',
      about: {
        summary: 'A service',
        answers: { 200: json(SERVICE) },
        refusals: ['admin.not-found'],
      },
      handle: (request) => ({ body: existingService(db, idOf(request)) }),
    },
    {
      method: 'PUT',
      path: SERVICE_PATH,
      access: 'service-owner',
      about: {
        summary: 'Put a service',
        details:
          'A breaking change takes effect after the notice that consumers have: 202 (protocol/README.md §7.8).',
        body: parseService,
        answers: { ...putAnswers(SERVICE), 202: json(SERVICE) },
        refusals: ['admin.approval-needed', 'admin.not-found', ...CHANGE_REFUSALS],
      },
      handle: async (request) => {
        const id = idOf(request)
        const code = readServiceCode(request.params)
        const subsystem = readPathId(instance, request.params, ['class', 'member', 'subsystem'])
        const {
          title,
          description,
          classification = null,
          validation = null,
          ...asked
        } = parseService(request.body)
        const service = { id, subsystem, code, title, classification, validation }
        const described = description ? await readDescription(description) : undefined
        checkValidation(validation, described)
        checkFieldClasses(classification, described)
        const reply = await changes.put({
          action: 'put-service',
          subject: `service ${id}`,
          read: () => findService(db, id),
          apply: () => {
            existingSubsystem(db, subsystem)
            const store = (): void => storeService(db, service, described)
            putInForce(context, { service, described, store, asked, actor: request.principal })
          },
        })
        const { planned } = reply.body as ServiceView
        return planned?.descriptionDigest === described?.digest && planned
          ? { ...reply, status: 202 }
          : reply
      },
    },
    {
      method: 'DELETE',
      path: SERVICE_PATH,
      access: 'member-admin',
      about: {
        summary: 'Remove a service',
        answers: { 204: NOTHING },
        refusals: ['admin.not-found', 'admin.conflict', ...CHANGE_REFUSALS],
      },
      handle: (request) => {
        const id = idOf(request)
        return changes.remove({
          action: 'delete-service',
          subject: `service ${id}`,
          read: () => findService(db, id),
          apply: () => {
            refuseEarlyRemoval(context, existingService(db, id), request)
            db.run('DELETE FROM service WHERE id = ?', id)
          },
        })
      },
    },
  ]
}

/** The service that the path names. */
export function readServiceId(instance: string, { params }: ApiRequest): string {
  return readPathId(instance, params, ['class', 'member', 'subsystem', 'service'])
}

function readServiceCode(params: ApiRequest['params']): string {
  const code = params.service ?? ''
  if (!RESERVED_CODES.includes(code)) return code
  throw invalid(
    'service',
    `${code} is a service that gateways answer themselves; take another code`,
  )
}

/** @throws ExchangeError `admin.invalid` */
function checkValidation(mode: string | null, description: ServiceDescription | undefined): void {
  if (mode === null || mode === 'off' || description !== undefined) return
  throw invalid('validation', 'messages are compared with a description: send one')
}

/** What is in force of a service; its version and state are set apart. */
export function storeService(
  db: Database,
  service: Omit<ServiceRow, 'type' | 'endpoints' | 'descriptionDigest' | keyof LifeColumns> & {
    readonly subsystem: string
    readonly code: string
  },
  description: ServiceDescription | undefined,
): void {
  const { id, subsystem, code, title, classification, validation } = service
  if (description) {
    db.run(
      'INSERT INTO description VALUES (?, ?) ON CONFLICT DO NOTHING',
      description.digest,
      description.bytes,
    )
  }
  const endpoints: Endpoint[] = description?.endpoints ?? [{ method: '*', path: ANY_PATH }]
  db.run(
    `INSERT INTO service (id, subsystem, code, title, type, endpoints, descriptionDigest, classification, validation)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET title = excluded.title, type = excluded.type,
       endpoints = excluded.endpoints, descriptionDigest = excluded.descriptionDigest,
       classification = excluded.classification, validation = excluded.validation`,
    id,
    subsystem,
    code,
    title,
    description ? 'OPENAPI' : 'REST',
    JSON.stringify(endpoints),
    description?.digest ?? null,
    classification,
    validation,
  )
  storeFields(db, id, description)
  indexService(db, id)
}

interface ServiceRow extends LifeColumns {
  readonly id: string
  readonly title: string
  readonly type: SnapshotService['type']
  readonly endpoints: string
  readonly descriptionDigest: string | null
  readonly classification: string | null
  readonly validation: NonNullable<SnapshotService['validation']> | null
}

const SELECT = `SELECT id, title, type, endpoints, descriptionDigest, classification, validation,
  version, state, deprecatedAt, sunset, successor FROM service`

/** In the order of their identifiers, those after one. */
export function listServices(
  db: Database,
  { after, limit }: { readonly after: string; readonly limit: number },
): ServiceView[] {
  return db
    .all<ServiceRow>(`${SELECT} WHERE id > ? ORDER BY id LIMIT ?`, after, limit)
    .map((row) => {
      const planned = plannedChange(db, row.id)
      return { ...toView(row), ...(planned ? { planned } : {}) }
    })
}

export function findService(db: Database, id: string): ServiceView | undefined {
  const row = db.get<ServiceRow>(`${SELECT} WHERE id = ?`, id)
  const planned = row && plannedChange(db, id)
  return row && { ...toView(row), ...(planned ? { planned } : {}) }
}

/** @throws ExchangeError `admin.not-found`. */
export function existingService(db: Database, id: string): ServiceView {
  const service = findService(db, id)
  if (service === undefined) throw unknown(`service ${id}`)
  return service
}

function toView({
  endpoints,
  descriptionDigest,
  classification,
  validation,
  ...row
}: ServiceRow): ServiceView {
  const { id, title, type, version, state } = row
  return {
    ...{ id, title, type },
    endpoints: JSON.parse(endpoints) as Endpoint[],
    ...(descriptionDigest === null ? {} : { descriptionDigest }),
    ...(classification === null ? {} : { classification }),
    ...(validation === null ? {} : { validation }),
    ...toLife(row),
    version,
    state,
  }
}
