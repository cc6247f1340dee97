/** Sections below `gatewaySettings`: what a gateway's own administrator decides. */
import { parseCertificate, parseCertificates } from '../../pki/certificate.ts'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { DONE, pick, type Fields, type FileHelp, type Section } from './section.ts'
import type { Path } from './read-files.ts'

type Row = Record<string, unknown>
type Endpoint = { readonly method: string; readonly path: string }

const pathOf = (id: string): string => apiPath('/admin/services', ...id.split('/').slice(1))

const withRoots = ({ caCertificates, ...rest }: Row, help: FileHelp, path: Path): Row =>
  typeof caCertificates === 'string'
    ? {
        ...rest,
        caCertificates: help.certificates(caCertificates, [...path, 'caCertificates']).join(''),
      }
    : { ...rest, ...(caCertificates === undefined ? {} : { caCertificates }) }

const rootsOf = (row: Row): Row =>
  typeof row.caCertificates === 'string'
    ? { ...row, caCertificates: tidyPem(row.caCertificates) }
    : row

/** One certificate is written in many ways, with lines of any length. */
const tidyPem = (text: string): string =>
  parseCertificates(text)
    .map(({ pem }) => pem)
    .join('')

const connections: Section = {
  ...{ name: 'services', word: 'connection', form: 'map', parts: [4, 4], keeps: true },
  needed: ['url'],
  fromFile: (value, help, path) => withRoots(value as Row, help, path),
  read: async (api) => {
    const { services } = await api.call<{ services: Row[] }>('GET', '/admin/services')
    return new Map(
      services.map(({ service, ...row }) => [
        String(service),
        pick(rootsOf(row), ['url', 'timeoutMs', 'caCertificates']),
      ]),
    )
  },
  put: async ({ api, key, after }) => {
    await api.call('PUT', pathOf(key), after)
    return DONE
  },
  remove: async (api, key) => void (await api.call('DELETE', pathOf(key))),
}

const ALL = '* /**'
const endpointTexts = (endpoints: readonly Endpoint[]): string[] =>
  endpoints.map(({ method, path }) => `${method} ${path}`).toSorted()

const grantKey = ({ subject, service, endpoints }: Fields): string =>
  [`${String(subject)} → ${String(service)}`, ...(endpoints as string[])].join(' ')

async function readGrants(api: ApiClient): Promise<(Row & { key: string })[]> {
  const { grants } = await api.call<{ grants: Row[] }>('GET', '/admin/grants')
  return grants.map(({ id, subject, service, endpoints }) => {
    const fields = { id, subject, service, endpoints: endpointTexts(endpoints as Endpoint[]) }
    return { ...fields, key: grantKey(fields) }
  })
}

/** Two of the same client, service and endpoints are one. */
const grants: Section = {
  ...{ name: 'grants', word: 'grant', form: 'list', keeps: true },
  fromFile: (value, help, path) => {
    const { subject, service, endpoints = [ALL] } = value as Row
    const texts = (endpoints as string[]).map((text, i) => {
      const [method = '', pattern = '', ...rest] = text.trim().split(/\s+/)
      if (pattern === '' || rest.length > 0) {
        help.fault([...path, 'endpoints', i], "write an endpoint as 'GET /path/*'")
      }
      return `${method.toUpperCase()} ${pattern}`
    })
    const endpointList = [...new Set(texts)].toSorted()
    return {
      subject: help.id(String(subject)),
      service: help.id(String(service)),
      endpoints: endpointList,
    }
  },
  keyOf: grantKey,
  read: async (api) =>
    new Map(
      (await readGrants(api)).map(({ key, ...row }) => [
        key,
        pick(row, ['subject', 'service', 'endpoints']),
      ]),
    ),
  put: async ({ api, after }) => {
    const endpoints = (after.endpoints as string[]).map((text) => {
      const [method, path] = text.split(' ')
      return { method, path }
    })
    await api.call('POST', '/admin/grants', { ...after, endpoints })
    return DONE
  },
  remove: async (api, key) => {
    for (const row of await readGrants(api)) {
      if (row.key === key) await api.call('DELETE', apiPath('/admin/grants', String(row.id)))
    }
  },
  toFile: ({ endpoints, ...rest }) =>
    (endpoints as string[]).join() === ALL ? rest : { ...rest, endpoints },
}

const informationSystems: Section = {
  ...{ name: 'informationSystems', word: 'information system', form: 'map', parts: [2, 3] },
  ...{ keeps: true, additive: ['certificates'] },
  fromFile: (value, help, path) => ({
    certificates: (value as string[])
      .flatMap((text, i) => help.certificates(text, [...path, i]).slice(0, 1))
      .toSorted(),
  }),
  read: async (api) => {
    const { informationSystems: all } = await api.call<{
      informationSystems: { client: string; pem: string }[]
    }>('GET', '/admin/information-systems')
    const found = new Map<string, Fields>()
    for (const { client, pem } of all) {
      const known = (found.get(client)?.certificates ?? []) as string[]
      found.set(client, { certificates: [...known, tidyPem(pem)].toSorted() })
    }
    return found
  },
  put: async ({ api, key, before, after }) => {
    const known = (before?.certificates ?? []) as string[]
    const wanted = after.certificates as string[]
    for (const certificate of wanted.filter((pem) => !known.includes(pem))) {
      await api.call('POST', '/admin/information-systems', { client: key, certificate })
    }
    await removeSystems(
      api,
      key,
      known.filter((pem) => !wanted.includes(pem)),
    )
    return DONE
  },
  remove: (api, key, before) => removeSystems(api, key, before.certificates as string[]),
  toFile: ({ certificates }) => certificates,
}

async function removeSystems(api: ApiClient, client: string, pems: readonly string[]) {
  for (const pem of pems) {
    const query = new URLSearchParams({ client }).toString()
    await api.call(
      'DELETE',
      `${apiPath('/admin/information-systems', parseCertificate(pem).thumbprint)}?${query}`,
    )
  }
}

const PROVIDERS = '/admin/identity-providers'

const identityProviders: Section = {
  ...{ name: 'identityProviders', word: 'identity provider', form: 'list', keeps: false },
  fromFile: (value, help, path) => {
    const { member, ...rest } = withRoots(value as Row, help, path)
    if ((rest.jwksUrl === undefined) === (rest.jwks === undefined)) {
      help.fault(path, 'give either jwksUrl or jwks')
    }
    return { member: help.id(String(member)), ...rest }
  },
  keyOf: ({ member, issuer }) => `${String(member)} ${String(issuer)}`,
  read: async (api) => {
    const { identityProviders: all } = await api.call<{ identityProviders: Row[] }>(
      'GET',
      PROVIDERS,
    )
    const fields = ['member', 'issuer', 'jwksUrl', 'jwks', 'caCertificates']
    return new Map(
      all.map((row) => [`${String(row.member)} ${String(row.issuer)}`, pick(rootsOf(row), fields)]),
    )
  },
  put: async ({ api, after }) => {
    await api.call('PUT', PROVIDERS, after)
    return DONE
  },
  remove: async (api, _key, { member, issuer }) => {
    const query = new URLSearchParams({ member: String(member), issuer: String(issuer) })
    await api.call('DELETE', `${PROVIDERS}?${query.toString()}`)
  },
}

export const GATEWAY_SECTIONS: readonly Section[] = [
  ...[connections, informationSystems, identityProviders, grants],
]
