import type { ApiAbout } from '../../runtime/openapi-description.ts'

/** What the admin port of a gateway is, and who may use it. */
export const GATEWAY_API: ApiAbout = {
  title: 'Spean: administration and audit of a gateway',
  description:
    'For the administrator, and below /audit and /evidence for auditors, each limited to members, subsystems or services. Every query of an auditor is recorded in the log before it is answered.',
  credentials: {
    token: {
      scheme: {
        type: 'http',
        scheme: 'bearer',
        description: 'Of the program, in admin.token of its state directory.',
      },
      roles: ['admin'],
    },
    auditorToken: {
      scheme: { type: 'http', scheme: 'bearer', description: 'Of `spean auditor add`.' },
      roles: ['auditor'],
    },
  },
}

/** What everybody reaches: the port for transparency. */
export const TRANSPARENCY_API: ApiAbout = {
  title: 'Spean: transparency of a gateway',
  description: 'The tree of its exchange log, and the gateway as a witness of others.',
  credentials: {},
}
