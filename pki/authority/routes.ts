import type { Route } from '../../runtime/admin-api.ts'
import { createAdminRoutes } from './admin-routes.ts'
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
    handle: () => ({ body: { program: 'authority', instance, ready: true } }),
  }
  return {
    publicRoutes: [status, ...createPublicRoutes({ authority })],
    estRoutes: [status, ...createEstRoutes({ authority })],
    adminRoutes: [status, ...createAdminRoutes({ authority })],
  }
}
