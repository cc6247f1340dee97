import { ANY_PATH } from '../protocol/endpoint.ts'
import type { Endpoint, SnapshotService } from '../protocol/snapshot.ts'
import { bodyParser, type ApiRequest, type Route } from '../runtime/admin-api.ts'
import { unknown } from './changes.ts'
import type { CatalogueContext } from './context.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { displayText, invalid, readPathId } from './input.ts'
import { readDescription, type ServiceDescription } from './service-description.ts'
import { existingSubsystem } from './subsystems.ts'

export interface ServiceView extends Omit<SnapshotService, 'code'> {
  readonly id: string
}

const PATH = '/admin/services/:class/:member/:subsystem/:service'

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

interface ServiceBody {
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
  },
})

export function createServiceRoutes({ db, instance, changes }: CatalogueContext): Route[] {
  const idOf = ({ params }: ApiRequest): string =>
    readPathId(instance, params, ['class', 'member', 'subsystem', 'service'])
  return [
    {
      method: 'GET',
      path: '/admin/services',
      access: 'reader',
      handle: () => ({
        body: { services: db.all<ServiceRow>(`${SELECT} ORDER BY id`).map(toView) },
      }),
    },
    {
      method: 'GET',
      path: PATH,
      access: 'reader',
      handle: (request) => ({ body: existingService(db, idOf(request)) }),
    },
    {
      method: 'PUT',
      path: PATH,
      access: 'service-owner',
      handle: async (request) => {
        const id = idOf(request)
        const code = readServiceCode(request.params)
        const subsystem = readPathId(instance, request.params, ['class', 'member', 'subsystem'])
        const {
          title,
          description,
          classification = null,
          validation = null,
        } = parseService(request.body)
        const service = { id, subsystem, code, title, classification, validation }
        const described = description ? await readDescription(description) : undefined
        checkValidation(validation, described)
        return changes.put({
          action: 'put-service',
          subject: `service ${id}`,
          read: () => findService(db, id),
          apply: () => {
            existingSubsystem(db, subsystem)
            storeService(db, service, described)
          },
        })
      },
    },
    {
      method: 'DELETE',
      path: PATH,
      access: 'member-admin',
      handle: (request) => {
        const id = idOf(request)
        return changes.remove({
          action: 'delete-service',
          subject: `service ${id}`,
          read: () => findService(db, id),
          apply: () => db.run('DELETE FROM service WHERE id = ?', id),
        })
      },
    },
  ]
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

function storeService(
  db: Database,
  service: Omit<ServiceRow, 'type' | 'endpoints' | 'descriptionDigest'> & {
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
}

interface ServiceRow {
  readonly id: string
  readonly title: string
  readonly type: SnapshotService['type']
  readonly endpoints: string
  readonly descriptionDigest: string | null
  readonly classification: string | null
  readonly validation: NonNullable<SnapshotService['validation']> | null
}

const SELECT =
  'SELECT id, title, type, endpoints, descriptionDigest, classification, validation FROM service'

function findService(db: Database, id: string): ServiceView | undefined {
  const row = db.get<ServiceRow>(`${SELECT} WHERE id = ?`, id)
  return row && toView(row)
}

function existingService(db: Database, id: string): ServiceView {
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
  return {
    ...row,
    endpoints: JSON.parse(endpoints) as Endpoint[],
    ...(descriptionDigest === null ? {} : { descriptionDigest }),
    ...(classification === null ? {} : { classification }),
    ...(validation === null ? {} : { validation }),
  }
}
