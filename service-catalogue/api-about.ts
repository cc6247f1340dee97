import type { ApiAbout } from '../runtime/openapi-description.ts'
import { ROLES } from '../runtime/roles.ts'

/** How gateways prove who they are, where they have to. */
export const GATEWAY_CERTIFICATE = 'gatewayCertificate'

export const CATALOGUE_API: ApiAbout = {
  title: 'Spean: catalogue of an instance',
  description:
    'For the operator, members, service owners and auditors; what gateways fetch is public, because it is signed. The answer to a change has its position in `/admin/events`: `Spean-Change`.',
  credentials: {
    token: {
      scheme: {
        type: 'http',
        scheme: 'bearer',
        description: 'Of the program, in admin.token of its state directory.',
      },
      roles: ['admin'],
    },
    apiKey: {
      scheme: { type: 'http', scheme: 'bearer', description: 'Of POST /admin/keys.' },
      roles: ROLES,
    },
    identityProvider: {
      scheme: {
        type: 'http',
        scheme: 'bearer',
        bearerFormat: 'JWT',
        description: 'An access token of an OpenID Connect provider of `identityProviders`.',
      },
      roles: ROLES,
    },
    [GATEWAY_CERTIFICATE]: {
      scheme: { type: 'mutualTLS', description: 'A certificate that is listed for a gateway.' },
      roles: [],
    },
  },
}
