import type { Route } from '../../runtime/admin-api.ts'
import { createDescriptionRoute } from '../../runtime/openapi-description.ts'
import { flag, json, object, text } from '../../runtime/route-description.ts'
import { createAdminRoutes } from './admin-routes.ts'
import { AUTHORITY_API } from './api-about.ts'
import type { Authority } from './authority.ts'
import { createEstRoutes } from './est-routes.ts'
import { createPublicRoutes } from './public-routes.ts'

/** The operations of the authority, by the port that serves them. */
export function createAuthorityRoutes({ authority }: { readonly authority: Authority }): {
  publicRoutes: Route[]
  estRoutes: Route[]
  adminRoutes: Route[]
} {
  const { instance } = authority
  const status: Route = {
    method: 'GET',
    path: '/status',
    access: 'public',
    about: {
      summary: 'Whether the authority is there',
      answers: {
        200: json(object({ program: { const: 'authority' }, instance: text, ready: flag })),
      },
    },
    handle: () => ({ body: { program: 'authority', instance, ready: true } }),
  }
  const adminRoutes = [status, ...createAdminRoutes({ authority })]
  return {
    publicRoutes: [status, ...createPublicRoutes({ authority })],
    estRoutes: [status, ...createEstRoutes({ authority })],
    adminRoutes: [...adminRoutes, createDescriptionRoute(AUTHORITY_API, adminRoutes)],
  }
}
