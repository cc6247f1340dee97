import type { JSONSchemaType } from 'ajv'
import { ExchangeError } from '../../protocol/errors.ts'
import { formatId, readClientId } from '../../protocol/identifiers.ts'
import { CertificateError, parseCertificates } from '../../pki/certificate.ts'
import { bodyParser, type Route } from '../../runtime/admin-api.ts'
import {
  json,
  listOf,
  named,
  NOTHING,
  object,
  putAnswers,
  text,
} from '../../runtime/route-description.ts'
import type { IdentityProvider, IdentityProviders } from './identity-providers.ts'
import { isKeySet } from './key-set.ts'

const parseProvider = bodyParser<IdentityProvider>({
  type: 'object',
  additionalProperties: false,
  required: ['member', 'issuer'],
  properties: {
    member: { type: 'string', maxLength: 600 },
    issuer: { type: 'string', minLength: 1, maxLength: 500, pattern: '^[!-~]+$' },
    jwksUrl: { type: 'string', maxLength: 2000, nullable: true },
    jwks: { type: 'object', nullable: true },
    caCertificates: { type: 'string', maxLength: 200_000, nullable: true },
  },
} as unknown as JSONSchemaType<IdentityProvider>)

const PROVIDER = named(
  'IdentityProvider',
  object(
    { member: text, issuer: text },
    { jwksUrl: text, jwks: { type: 'object' }, caCertificates: text },
  ),
)

const PATH = '/admin/identity-providers'

/** Whose tokens count for the users of a client's member: the provider's administrator decides. */
export function createIdentityProviderRoutes(
  providers: IdentityProviders,
  instance: string,
): Route[] {
  return [
    {
      method: 'GET',
      path: PATH,
      access: 'admin',
      about: {
        summary: 'Identity providers whose tokens count for users',
        answers: { 200: json(object({ identityProviders: listOf(PROVIDER) })) },
      },
      handle: () => ({ body: { identityProviders: providers.all() } }),
    },
    {
      method: 'PUT',
      path: PATH,
      access: 'admin',
      about: {
        summary: 'Put an identity provider',
        body: parseProvider,
        answers: putAnswers(PROVIDER),
      },
      handle: ({ body }) => {
        const asked = parseProvider(body)
        const provider = { ...asked, member: readMember(asked.member, instance) }
        checkKeys(provider)
        const isNew = providers.find(provider.member, provider.issuer) === undefined
        providers.put(provider)
        return { status: isNew ? 201 : 200, body: provider }
      },
    },
    {
      method: 'DELETE',
      path: PATH,
      access: 'admin',
      about: {
        summary: 'Remove an identity provider',
        query: {
          member: { schema: text, required: true },
          issuer: { schema: text, required: true },
        },
        answers: { 204: NOTHING },
        refusals: ['admin.not-found'],
      },
      handle: ({ query }) => {
        providers.remove(query.get('member') ?? '', query.get('issuer') ?? '')
        return {}
      },
    },
  ]
}

function readMember(text: string, instance: string): string {
  try {
    const client = readClientId(text)
    if (client.instance === instance && client.subsystem === undefined) return formatId(client)
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error
  }
  throw wrong(`/member: ${text} is not ${instance}/CLASS/MEMBER`)
}

function checkKeys({ jwksUrl, jwks, caCertificates }: IdentityProvider): void {
  if ((jwksUrl === undefined) === (jwks === undefined)) {
    throw wrong('/: give either jwksUrl or jwks')
  }
  if (jwksUrl !== undefined) checkUrl(jwksUrl)
  if (jwks !== undefined) {
    if (!isKeySet(jwks) || jwks.keys.length === 0) throw wrong('/jwks is no set of keys (RFC 7517)')
    const secret = jwks.keys.some((key) => 'd' in key || 'k' in key)
    if (secret) throw wrong('/jwks holds a private or a symmetric key: give public keys only')
  }
  if (caCertificates === undefined) return
  try {
    parseCertificates(caCertificates)
  } catch (cause) {
    if (!(cause instanceof CertificateError)) throw cause
    throw new ExchangeError('admin.invalid', `/caCertificates: ${cause.message}`, { cause })
  }
}

function checkUrl(text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url?.protocol === 'https:' && url.username === '' && url.hash === '') return
  throw wrong('/jwksUrl: write https://HOST:PORT/PATH')
}

const wrong = (detail: string): ExchangeError => new ExchangeError('admin.invalid', detail)
