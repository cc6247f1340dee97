import type { ApiAbout } from '../../runtime/openapi-description.ts'

/** The three ports of an authority, and who may use them. */
export const AUTHORITY_API: ApiAbout = {
  title: 'Spean: administration of an authority',
  description: 'For the administrator of the authority.',
  credentials: {
    token: {
      scheme: {
        type: 'http',
        scheme: 'bearer',
        description: 'Of the program, in admin.token of its state directory.',
      },
      roles: ['admin'],
    },
  },
}
export const PUBLIC_API: ApiAbout = {
  title: 'Spean: what an authority publishes',
  description: 'Certificates, revocation states and lists, and time-stamps: for everybody.',
  credentials: {},
}
export const ENROLMENT_API: ApiAbout = {
  title: 'Spean: enrolment at an authority',
  description: 'Enrollment over Secure Transport (RFC 7030).',
  credentials: {
    code: {
      scheme: { type: 'http', scheme: 'basic', description: 'A one-time code is the password.' },
      roles: [],
    },
    certificate: {
      scheme: { type: 'mutualTLS', description: 'The certificate that is renewed.' },
      roles: [],
    },
  },
}
