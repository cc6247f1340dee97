import type { JSONSchemaType } from 'ajv'
import { errorEntry, ExchangeError } from '../../protocol/errors.ts'
import { formatId, memberOf, readClientId, readServiceId } from '../../protocol/identifiers.ts'
import type { Endpoint } from '../../protocol/snapshot.ts'
import { METHODS } from '../../protocol/methods.ts'
import {
  CertificateError,
  parseCertificate,
  parseCertificates,
  type Certificate,
} from '../../pki/certificate.ts'
import type { CertificateIdentity } from '../../pki/identity.ts'
import { bodyParser, type ApiRequest, type Route } from '../../runtime/admin-api.ts'
import { flag, json, listOf, NOTHING, object, text } from '../../runtime/route-description.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Connection, InformationSystem, Settings } from '../access/settings.ts'
import type { Grant } from '../exchange-state.ts'
import { CONNECTION, GATEWAY_STATUS, GRANT, SYSTEM } from './openapi-schemas.ts'

export interface SettingsDeps {
  readonly settings: Settings
  readonly clock: Clock
  /** The gateway's instance: paths leave it out. */
  readonly instance: string
  /** Whether this gateway speaks for a subsystem; undefined while no snapshot says. */
  readonly speaksFor: (subsystem: string) => boolean | undefined
  /** Whom a certificate names by the profile of its authority; undefined: nobody that is known here. */
  readonly identityOf: (certificate: Certificate) => CertificateIdentity | undefined
  readonly status: () => object
}

const parseConnection = bodyParser<Omit<Connection, 'service'>>({
  type: 'object',
  additionalProperties: false,
  required: ['url'],
  properties: {
    url: { type: 'string', maxLength: 2000 },
    timeoutMs: { type: 'integer', minimum: 100, maximum: 3_600_000, nullable: true },
    caCertificates: { type: 'string', nullable: true },
  },
} as unknown as JSONSchemaType<Omit<Connection, 'service'>>)

const parseGrant = bodyParser<{ subject: string; service: string; endpoints: Endpoint[] }>({
  type: 'object',
  additionalProperties: false,
  required: ['subject', 'service'],
  properties: {
    subject: { type: 'string', minLength: 1, maxLength: 600 },
    service: { type: 'string', minLength: 1, maxLength: 700 },
    endpoints: {
      type: 'array',
      minItems: 1,
      maxItems: 1000,
      default: [{ method: '*', path: '/**' }],
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['method', 'path'],
        properties: {
          method: { type: 'string', enum: ['*', ...METHODS] },
          path: { type: 'string', pattern: '^(/(\\*|[^*/]*))*(/\\*\\*)?$', maxLength: 2000 },
        },
      },
    },
  },
})

const parseSystem = bodyParser<{ client: string; certificate: string }>({
  type: 'object',
  additionalProperties: false,
  required: ['client', 'certificate'],
  properties: {
    client: { type: 'string', minLength: 1, maxLength: 600 },
    certificate: { type: 'string', minLength: 1, maxLength: 20_000 },
  },
})

/** What a gateway's own administrator does: connect services, grant access, register systems. */
export function createSettingsRoutes(deps: SettingsDeps): Route[] {
  const { settings, instance, status } = deps
  return [
    {
      method: 'GET',
      path: '/status',
      access: 'public',
      about: {
        summary: 'Whether the gateway is there',
        answers: { 200: json(object({ ready: flag })) },
      },
      handle: () => ({ body: { ready: true } }),
    },
    {
      method: 'GET',
      path: '/admin/status',
      access: 'admin',
      about: { summary: 'State of the gateway', answers: { 200: json(GATEWAY_STATUS) } },
      handle: () => ({ body: status() }),
    },
    {
      method: 'GET',
      path: '/admin/services',
      access: 'admin',
      about: {
        summary: 'Where services are reached',
        answers: { 200: json(object({ services: listOf(CONNECTION) })) },
      },
      handle: () => ({ body: { services: settings.connections() } }),
    },
    {
      method: 'PUT',
      path: '/admin/services/:class/:member/:subsystem/:service',
      access: 'admin',
      about: {
        summary: 'Say where a service is reached',
        body: parseConnection,
        answers: { 200: json(CONNECTION) },
      },
      handle: (request) => {
        const connection = {
          service: serviceIn(request, instance),
          ...parseConnection(request.body),
        }
        ownService(connection.service, deps)
        checkUrl(connection.url)
        if (connection.caCertificates !== undefined) readCertificates(connection.caCertificates)
        settings.connect(connection)
        return { body: connection }
      },
    },
    {
      method: 'DELETE',
      path: '/admin/services/:class/:member/:subsystem/:service',
      access: 'admin',
      about: {
        summary: 'Serve a service no more',
        answers: { 204: NOTHING },
        refusals: ['admin.not-found'],
      },
      handle: (request) => {
        settings.disconnect(serviceIn(request, instance))
        return {}
      },
    },
    {
      method: 'GET',
      path: '/admin/grants',
      access: 'admin',
      about: { summary: 'Grants', answers: { 200: json(object({ grants: listOf(GRANT) })) } },
      handle: () => ({ body: { grants: settings.grants() } }),
    },
    {
      method: 'POST',
      path: '/admin/grants',
      access: 'admin',
      about: { summary: 'Grant access', body: parseGrant, answers: { 201: json(GRANT) } },
      handle: ({ body }) => ({ status: 201, body: addGrant(deps, body) }),
    },
    {
      method: 'DELETE',
      path: '/admin/grants/:id',
      access: 'admin',
      about: {
        summary: 'Take a grant back',
        answers: { 204: NOTHING },
        refusals: ['admin.not-found'],
      },
      handle: ({ params }) => {
        settings.revoke(params.id ?? '')
        return {}
      },
    },
    {
      method: 'GET',
      path: '/admin/information-systems',
      access: 'admin',
      about: {
        summary: 'Information systems',
        answers: { 200: json(object({ informationSystems: listOf(SYSTEM) })) },
      },
      handle: () => ({ body: { informationSystems: settings.informationSystems().map(toView) } }),
    },
    {
      method: 'POST',
      path: '/admin/information-systems',
      access: 'admin',
      about: {
        summary: 'Register the certificate of an information system',
        body: parseSystem,
        answers: { 201: json(SYSTEM) },
        refusals: ['admin.conflict'],
      },
      handle: ({ body }) => ({ status: 201, body: addSystem(deps, body) }),
    },
    {
      method: 'DELETE',
      path: '/admin/information-systems/:thumbprint',
      access: 'admin',
      about: {
        summary: 'Remove the certificate of an information system',
        query: { client: { schema: text, required: true } },
        answers: { 204: NOTHING },
        refusals: ['admin.not-found'],
      },
      handle: ({ params, query }) => {
        settings.unregister(query.get('client') ?? '', params.thumbprint ?? '')
        return {}
      },
    },
  ]
}

/** A gateway decides about the services of its own subsystems, and about nobody else's. */
function ownService(text: string, { instance, speaksFor }: SettingsDeps): string {
  const { service: _code, ...subsystem } = named('service', () => readServiceId(text))
  const provider = formatId(subsystem)
  if (subsystem.instance !== instance || speaksFor(provider) === false) {
    throw new ExchangeError(
      'admin.invalid',
      `/service: this gateway does not speak for ${provider}`,
    )
  }
  return text
}

function ownInstance(text: string, { instance }: SettingsDeps): string {
  const client = named('subject', () => readClientId(text))
  if (client.instance === instance) return formatId(client)
  throw new ExchangeError('admin.invalid', `/subject: ${text} does not begin with ${instance}/`)
}

function checkUrl(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && /^https?:$/.test(url.protocol) && !/[?#@]/.test(text)) return
  throw new ExchangeError(
    'admin.invalid',
    '/url: write http://HOST:PORT/PATH or https://…, without user, query and fragment',
  )
}

function serviceIn({ params }: ApiRequest, instance: string): string {
  const parts = [params.class, params.member, params.subsystem, params.service]
  return formatId(named('service', () => readServiceId([instance, ...parts].join('/'))))
}

/** A second grant of the same is the first one: giving it again changes nothing. */
function addGrant(deps: SettingsDeps, body: unknown): Grant {
  const { settings, clock } = deps
  const { subject, service, endpoints } = parseGrant(body)
  const grant = {
    subject: subject.startsWith('group:') ? subject : ownInstance(subject, deps),
    service: ownService(service, deps),
    endpoints,
  }
  const same = settings
    .grantsFor(grant.service, [grant.subject])
    .find((g) => JSON.stringify(g.endpoints) === JSON.stringify(endpoints))
  if (same) return same
  const made = { id: crypto.randomUUID(), ...grant, grantedAt: clock() }
  settings.grant(made)
  return made
}

function addSystem({ settings, clock, identityOf }: SettingsDeps, body: unknown): object {
  const { client: name, certificate: pem } = parseSystem(body)
  const client = formatId(named('client', () => readClientId(name)))
  const [certificate] = readCertificates(pem)
  if (certificate === undefined) {
    throw new ExchangeError('admin.invalid', '/certificate holds no certificate')
  }
  if (certificate.notAfter <= clock()) {
    throw new ExchangeError('admin.invalid', `${certificate.subject} has expired`)
  }
  const identity = identityOf(certificate)
  const member = identity && `${identity.instance}/${identity.memberClass}/${identity.member}`
  if (member !== undefined && member !== memberOf(readClientId(client))) {
    throw new ExchangeError(
      'admin.invalid',
      `the certificate is one of ${member}, not of ${client}`,
    )
  }
  settings.register(client, certificate)
  return toView({ client, certificate })
}

function toView({ client, certificate }: InformationSystem): object {
  const { thumbprint, subject, issuer, notBefore, notAfter, pem } = certificate
  return { client, thumbprint, subject, issuer, notBefore, notAfter, pem }
}

function readCertificates(pem: string): ReturnType<typeof parseCertificates> {
  try {
    return [parseCertificate(pem)]
  } catch {
    // A bundle, or no certificate at all.
  }
  try {
    return parseCertificates(pem)
  } catch (cause) {
    if (!(cause instanceof CertificateError)) throw cause
    throw new ExchangeError('admin.invalid', `the certificate: ${cause.message}`, { cause })
  }
}

function named<T>(field: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof ExchangeError)) throw cause
    const { title } = errorEntry(cause.code)
    throw new ExchangeError('admin.invalid', `/${field}: ${title}: ${cause.message}`, { cause })
  }
}
