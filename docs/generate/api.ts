import { GATEWAY_API, TRANSPARENCY_API } from '../../gateway/http/openapi.ts'
import { createSettingsRoutes } from '../../gateway/http/admin-routes.ts'
import { createArchiveRoutes } from '../../gateway/http/archive-routes.ts'
import { createAuditRoutes } from '../../gateway/http/audit-routes.ts'
import { createAuditorRoutes } from '../../gateway/http/auditor-routes.ts'
import { createContractRoutes } from '../../gateway/http/contract-routes.ts'
import { createErasureRoutes } from '../../gateway/http/erasure-routes.ts'
import { createEvidenceRoutes } from '../../gateway/http/evidence-routes.ts'
import { createExplainRoutes } from '../../gateway/http/explain-routes.ts'
import { createLogKeyRoutes } from '../../gateway/http/log-key-routes.ts'
import { createLogRoutes } from '../../gateway/http/log-routes.ts'
import { createMetricsRoutes } from '../../gateway/http/metrics-routes.ts'
import { createStampRoutes } from '../../gateway/http/stamp-routes.ts'
import { createTreeRoutes } from '../../gateway/http/tree-routes.ts'
import { createIdentityProviderRoutes } from '../../gateway/user-tokens/identity-provider-routes.ts'
import { AUTHORITY_API, ENROLMENT_API, PUBLIC_API } from '../../pki/authority/api-about.ts'
import { createAuthorityRoutes } from '../../pki/authority/routes.ts'
import type { Route } from '../../runtime/admin-api.ts'
import {
  createDescriptionRoute,
  describeApi,
  type ApiAbout,
} from '../../runtime/openapi-description.ts'
import type { Access } from '../../runtime/roles.ts'
import { CATALOGUE_API } from '../../service-catalogue/api-about.ts'
import { createCatalogueRoutes } from '../../service-catalogue/routes.ts'
import { createWitnessAdminRoutes, createWitnessRoutes } from '../../witness/witness-routes.ts'
import { table } from './table.ts'

/** Nothing of it is used before a route is called. */
const NOTHING = {} as never

const witness = createWitnessRoutes(NOTHING)
const witnessAdmin = createWitnessAdminRoutes(NOTHING, NOTHING)
const authority = createAuthorityRoutes({
  authority: { root: {}, issuers: { authentication: {}, signing: {} } } as never,
})
const catalogue = [...createCatalogueRoutes(NOTHING), ...witness, ...witnessAdmin]
/** As gateway/administration.ts puts them together; tests hold it against what runs. */
const gateway = [
  ...createSettingsRoutes(NOTHING),
  ...createContractRoutes(NOTHING),
  ...createExplainRoutes(NOTHING),
  ...createLogRoutes(NOTHING),
  ...createErasureRoutes(NOTHING),
  ...createArchiveRoutes(NOTHING, NOTHING),
  ...createStampRoutes(NOTHING, NOTHING),
  ...witnessAdmin,
  ...createLogKeyRoutes(NOTHING),
  ...createEvidenceRoutes(NOTHING, NOTHING).map((route): Route => ({
    ...route,
    access: 'auditor',
  })),
  ...createMetricsRoutes(NOTHING),
  ...createIdentityProviderRoutes(NOTHING, NOTHING),
  ...createAuditorRoutes(NOTHING, NOTHING, NOTHING),
  ...createAuditRoutes(NOTHING),
]

interface Port {
  /** Of the file in docs/api. */
  readonly name: string
  readonly about: ApiAbout
  readonly routes: readonly Route[]
}
const administration = (name: string, about: ApiAbout, routes: readonly Route[]): Port => ({
  ...{ name, about },
  routes: [...routes, createDescriptionRoute(about, routes)],
})
const PORTS: readonly Port[] = [
  administration('catalogue', CATALOGUE_API, catalogue),
  administration('gateway', GATEWAY_API, gateway),
  {
    name: 'gateway-transparency',
    about: TRANSPARENCY_API,
    routes: [...createTreeRoutes(NOTHING), ...witness],
  },
  { name: 'authority', about: AUTHORITY_API, routes: authority.adminRoutes },
  { name: 'authority-public', about: PUBLIC_API, routes: authority.publicRoutes },
  { name: 'authority-enrolment', about: ENROLMENT_API, routes: authority.estRoutes },
]

/** docs/api/NAME.json, the OpenAPI description of each port. */
export function apiDescriptions(): Map<string, string> {
  return new Map(
    PORTS.map(({ name, about, routes }) => [
      `docs/api/${name}.json`,
      `${JSON.stringify(describeApi(about, routes), null, 2)}\n`,
    ]),
  )
}

const INTRODUCTION = `# HTTP interfaces for administration

Every operation of catalogue, gateway and authority. The OpenAPI 3.1 descriptions in [api/](api) have the parameters, bodies, answers and
codes of each; the programs serve theirs at \`GET /openapi.json\` of the port for administration, to everybody. An operation says in \`security\`
which roles may call it with which credential, and in \`x-role\` the lowest of them. Bodies are JSON in UTF-8 (\`application/json\`), in which no name stands twice
in an object. What is refused is answered with a problem document (RFC 9457), whose \`code\` is one of [error-codes.md](error-codes.md):
\`x-codes\` has those that an operation may give.

Whoever may call an operation, by the lowest role:

`
const WHO: Readonly<Record<Access, string>> = {
  public: 'everybody; who has to prove something, by a signature or a certificate, does so',
  reader: 'everybody with a credential',
  'service-owner': 'owners of services, for what is theirs; also who may more',
  'member-admin': 'administrators of members, for what is theirs; and the administrator',
  auditor: 'auditors, and the administrator',
  admin: 'the administrator of the program',
}

/** docs/api.md, from the routes of all programs. */
export function apiPage(): string {
  const roles = Object.entries(WHO).map(([access, who]) => [`\`${access}\``, who])
  const ports = PORTS.map(({ name, about: { title, description }, routes }) => {
    const rows = routes.map(({ method, path, access, about: { summary } }) => [
      `\`${method} ${path.replaceAll(/[:*](\w+)/g, '{$1}')}\``,
      `\`${access}\``,
      summary,
    ])
    const head = `## ${title}\n\n${description} Description: [api/${name}.json](api/${name}.json).\n\n`
    return head + table(['Operation', 'Role', 'What it does'], rows)
  })
  return `${INTRODUCTION}${table(['Role', 'Who'], roles)}\n${ports.join('\n')}`
}
