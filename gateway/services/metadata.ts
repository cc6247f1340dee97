import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { ExchangeError } from '../../protocol/errors.ts'
import { formatId, type ServiceId } from '../../protocol/identifiers.ts'
import type { MetadataService } from '../../protocol/methods.ts'
import type { Endpoint, SnapshotService } from '../../protocol/snapshot.ts'
import { EMPTY_BODY, type SpooledBody } from '../../runtime/spool.ts'
import type { Answer, ServedRecorded } from '../exchange-state.ts'
import { grantSubjects, type CatalogueView } from '../catalogue-view.ts'
import type { AccessRules } from '../ports.ts'

interface Deps {
  readonly accessRules: AccessRules
  /** A description document by its digest. */
  readonly description: (digest: string) => Promise<Buffer>
}

/**
 * Answers `listMethods`, `allowedMethods` and `getOpenAPI` of one subsystem
 * (X-Road PR-MREST §4–6; protocol/README.md §3.7).
 *
 * @throws ExchangeError `request.malformed`, `service.unknown`, `service.description-missing`.
 */
export async function answerMetadata(
  service: MetadataService,
  exchange: ServedRecorded,
  deps: Deps,
): Promise<Answer> {
  const { request, target } = exchange
  if ((request.method !== 'GET' && request.method !== 'HEAD') || target.servicePath !== '') {
    throw new ExchangeError(
      'request.malformed',
      `${service} is asked by GET, without a path behind it`,
    )
  }
  const answer = await answerFor(service, exchange, deps)
  return request.method === 'HEAD' ? { ...answer, body: EMPTY_BODY } : answer
}

async function answerFor(
  service: MetadataService,
  exchange: ServedRecorded,
  deps: Deps,
): Promise<Answer> {
  const { service: _code, ...subsystem } = exchange.target.service
  const services = exchange.catalogue.servicesOf(formatId(subsystem)) ?? []
  switch (service) {
    case 'listMethods':
      return json({ service: services.map((s) => toMethod(exchange.target.service, s)) })
    case 'allowedMethods':
      return json({
        service: services.flatMap((s) => {
          const endpoints = allowedEndpoints(exchange, s, deps.accessRules)
          return endpoints.length === 0
            ? []
            : [toMethod(exchange.target.service, { ...s, endpoints })]
        }),
      })
    case 'getOpenAPI':
      return getOpenApi(exchange, services, deps)
  }
}

function allowedEndpoints(
  { client, target, catalogue }: ServedRecorded,
  { code, endpoints }: SnapshotService,
  accessRules: AccessRules,
): Endpoint[] {
  const service = formatId({ ...target.service, service: code })
  const grants = accessRules.grantsFor(service, grantSubjects(client, catalogue))
  const granted = grants.flatMap((grant) => grant.endpoints)
  const whole = granted.some(({ method, path }) => method === '*' && path === '/**')
  return whole ? endpoints : granted
}

async function getOpenApi(
  { target }: ServedRecorded,
  services: readonly SnapshotService[],
  { description }: Deps,
): Promise<Answer> {
  const code = new URLSearchParams(target.query).get('serviceCode')
  if (code === null) {
    throw new ExchangeError('request.malformed', 'getOpenAPI needs the parameter serviceCode')
  }
  const service = services.find((candidate) => candidate.code === code)
  if (service === undefined) {
    throw new ExchangeError('service.unknown', `the subsystem has no service ${code}`)
  }
  if (service.descriptionDigest === undefined) {
    throw new ExchangeError('service.description-missing', `${code} has no OpenAPI description`)
  }
  const document = JSON.parse((await description(service.descriptionDigest)).toString('utf8')) as {
    servers?: unknown
  }
  const { servers } = document
  return json(Array.isArray(servers) ? { ...document, servers: servers.map(pathOnly) } : document)
}

/** The register's address is nobody's business; clients call the gateway (PR-MREST §6). */
function pathOnly(server: unknown): unknown {
  const { url } = (server ?? {}) as { url?: unknown }
  if (typeof url !== 'string' || url.includes('{') || !URL.canParse(url)) return server
  return { ...(server as object), url: new URL(url).pathname }
}

/** Names in snake case, as X-Road's code has them; the annex of PR-MREST is wrong about that. */
function toMethod(
  { instance, memberClass, member, subsystem }: ServiceId,
  s: SnapshotService,
): object {
  return {
    object_type: 'SERVICE',
    xroad_instance: instance,
    member_class: memberClass,
    member_code: member,
    subsystem_code: subsystem,
    service_code: s.code,
    service_type: s.type,
    endpoint_list: s.endpoints,
  }
}

/** `GET /listClients` (X-Road PR-META §2): who is registered, from the snapshot. */
export function clientList(view: CatalogueView): object {
  return {
    member: view.clients().map(({ id, name, memberName }) => ({
      id: {
        object_type: id.subsystem === undefined ? 'MEMBER' : 'SUBSYSTEM',
        xroad_instance: id.instance,
        member_class: id.memberClass,
        member_code: id.member,
        ...(id.subsystem === undefined ? {} : { subsystem_code: id.subsystem }),
      },
      name: memberName,
      ...(id.subsystem === undefined ? {} : { subsystem_name: name }),
    })),
  }
}

function json(value: unknown): Answer {
  const bytes = Buffer.from(JSON.stringify(value), 'utf8')
  const body: SpooledBody = {
    size: bytes.length,
    digest: createHash('sha256').update(bytes).digest('base64url'),
    bytes,
    open: () => Readable.from([bytes]),
    [Symbol.asyncDispose]: async () => {},
  }
  return { status: 200, headers: [['content-type', 'application/json;charset=utf-8']], body }
}
