import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthorityRoutes } from '../../pki/authority/routes.ts'
import { createCatalogueRoutes } from '../../service-catalogue/routes.ts'
import { createSettingsRoutes } from '../../gateway/http/admin-routes.ts'
import { createArchiveRoutes } from '../../gateway/http/archive-routes.ts'
import { createAuditRoutes } from '../../gateway/http/audit-routes.ts'
import { createAuditorRoutes } from '../../gateway/http/auditor-routes.ts'
import { createContractRoutes } from '../../gateway/http/contract-routes.ts'
import { createErasureRoutes } from '../../gateway/http/erasure-routes.ts'
import { createEvidenceRoutes } from '../../gateway/http/evidence-routes.ts'
import { createExplainRoutes } from '../../gateway/http/explain-routes.ts'
import { createMetricsRoutes } from '../../gateway/http/metrics-routes.ts'
import { createLogKeyRoutes } from '../../gateway/http/log-key-routes.ts'
import { createLogRoutes } from '../../gateway/http/log-routes.ts'
import { createStampRoutes } from '../../gateway/http/stamp-routes.ts'
import { createIdentityProviderRoutes } from '../../gateway/user-tokens/identity-provider-routes.ts'
import type { Route } from '../../runtime/admin-api.ts'
import { createWitnessAdminRoutes, createWitnessRoutes } from '../../witness/witness-routes.ts'
import { startFederation, type Federation } from '../support/federation.ts'
import { send } from '../support/http.ts'

let f: Federation
beforeAll(async () => {
  f = await startFederation()
})
afterAll(() => f[Symbol.asyncDispose]())

// The description of the tables is part of them.
const openapi = { method: 'GET', path: '/openapi.json', access: 'public' } as Route

/** Every route of every program, by the tables that the programs serve; nothing is called through these. */
const tables = {
  gateway: [
    ...createSettingsRoutes({} as never),
    ...createContractRoutes({} as never),
    ...createLogRoutes({} as never),
    ...createErasureRoutes({} as never),
    ...createArchiveRoutes({} as never, {} as never),
    ...createStampRoutes({} as never, {} as never),
    ...createWitnessAdminRoutes({} as never, {} as never),
    ...createLogKeyRoutes({} as never),
    ...createEvidenceRoutes({} as never, {} as never),
    ...createMetricsRoutes({} as never),
    ...createIdentityProviderRoutes({} as never, {} as never),
    ...createExplainRoutes({} as never),
    ...createAuditorRoutes({} as never, {} as never, {} as never),
    ...createAuditRoutes({} as never),
    openapi,
  ],
  catalogue: [
    ...createCatalogueRoutes({} as never),
    ...createWitnessRoutes({} as never),
    ...createWitnessAdminRoutes({} as never, {} as never),
  ],
  authority: createAuthorityRoutes({
    authority: { root: {}, issuers: { authentication: {}, signing: {} } } as never,
  }).adminRoutes,
}
const rows = Object.entries(tables).flatMap(([program, routes]) =>
  routes.map((route): [string, string, Route] => [program, `${route.method} ${route.path}`, route]),
)
/** What strangers may read, all of it. */
const PUBLIC = new Set([
  'gateway GET /status',
  'gateway GET /openapi.json',
  'catalogue GET /status',
  'catalogue GET /snapshot',
  'catalogue GET /descriptions/:digest',
  'catalogue POST /contracts', // by a gateway’s certificate, and signed by members
  'catalogue GET /contracts',
  'catalogue GET /search',
  'catalogue GET /dcat',
  'catalogue GET /events',
  'catalogue GET /jwks',
  'catalogue POST /registrations', // signed by who sends it
  'catalogue POST /witness/add-checkpoint', // signed by the log
  'catalogue GET /witness/:originHash/checkpoint',
  'authority GET /status',
])

function portOf(program: string): number {
  if (program === 'gateway') return f.client.running.ports.admin
  if (program === 'catalogue') return f.catalogue.port
  return Number(new URL(f.authority.adminUrl).port)
}

describe('without credentials', () => {
  it('the tables are the ones that run', () => {
    expect(f.client.running.routes.map(({ path }) => path)).toEqual(
      tables.gateway.map((r) => r.path),
    )
  })

  it.each(rows)(
    '%s %s is refused, unless it is public',
    async (program, name, { method, path }) => {
      const asked = path.replace(/[:*]\w+/g, 'x')
      for (const authorization of [
        [],
        ['authorization', 'Bearer wrong'],
        ['authorization', 'Basic x'],
      ]) {
        const answer = await send({
          port: portOf(program),
          method,
          path: asked,
          rawHeaders: authorization,
          tls: { ca: f.ca },
        })
        if (PUBLIC.has(`${program} ${name}`)) {
          expect(answer.status).not.toBe(401)
          continue
        }
        expect(answer.status).toBe(401)
        expect(answer.headers['www-authenticate']).toBe('Bearer')
        expect(JSON.parse(answer.body.toString('utf8'))).toMatchObject({
          code: 'admin.unauthenticated',
        })
      }
    },
  )

  it.each(['gateway', 'catalogue', 'authority'])(
    '%s serves nothing beside its table',
    async (program) => {
      const answer = await send({
        port: portOf(program),
        path: '/admin/nothing',
        tls: { ca: f.ca },
      })
      expect(answer.status).toBe(404)
      expect(answer.body.toString('utf8')).not.toMatch(/\.ts|Cannot GET/)
    },
  )
})
