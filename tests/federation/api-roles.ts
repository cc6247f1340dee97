/** Who may call what, written a second time: so that no word in a route, and in a description, changes unseen. */

/** What strangers may call, all of it. */
export const PUBLIC = new Set([
  'gateway GET /status',
  'gateway GET /openapi.json',
  'catalogue GET /openapi.json',
  'catalogue GET /status',
  'catalogue GET /snapshot',
  'catalogue GET /anchors/{number}', // signed by the anchor before
  'catalogue GET /descriptions/{digest}',
  'catalogue POST /contracts', // by a gateway’s certificate, and signed by members
  'catalogue GET /contracts',
  'catalogue GET /search',
  'catalogue GET /dcat',
  'catalogue GET /events',
  'catalogue GET /jwks',
  'catalogue POST /registrations', // signed by who sends it
  'catalogue POST /witness/add-checkpoint', // signed by the log
  'catalogue GET /witness/{originHash}/checkpoint',
  'authority GET /status',
  'authority GET /openapi.json',
])

const SERVICE = '/admin/services/{class}/{member}/{subsystem}/{service}'

/** What is not the administrator's alone; readers only read, and only in the catalogue. */
export const OTHERS: Readonly<Record<string, readonly string[]>> = {
  auditor: [
    'catalogue GET /admin/events',
    'catalogue GET /admin/audit',
    'catalogue GET /admin/anchor',
    'gateway GET /evidence/{exchangeId}',
    'gateway GET /audit/exchanges',
    'gateway GET /audit/exchanges/{exchangeId}',
    'gateway GET /audit/export',
    'gateway GET /audit/sample',
  ],
  'member-admin': [
    'catalogue POST /admin/members/{class}/{member}/certificates',
    'catalogue DELETE /admin/members/{class}/{member}/certificates/{thumbprint}',
    'catalogue PUT /admin/subsystems/{class}/{member}/{subsystem}',
    'catalogue DELETE /admin/subsystems/{class}/{member}/{subsystem}',
    'catalogue POST /admin/gateways/{class}/{member}/{gateway}/certificates',
    'catalogue DELETE /admin/gateways/{class}/{member}/{gateway}/certificates/{thumbprint}',
    `catalogue DELETE ${SERVICE}`,
    'catalogue POST /admin/keys',
    'catalogue DELETE /admin/keys/{id}',
  ],
  'service-owner': [
    `catalogue PUT ${SERVICE}`,
    `catalogue POST ${SERVICE}/publish`,
    `catalogue POST ${SERVICE}/deprecate`,
    `catalogue POST ${SERVICE}/retire`,
    `catalogue POST ${SERVICE}/withdraw`,
    `catalogue POST ${SERVICE}/compare`,
    `catalogue PUT ${SERVICE}/entry`,
    'catalogue POST /admin/requests',
    'catalogue POST /admin/requests/{id}/withdraw',
    'catalogue POST /admin/webhooks',
    'catalogue POST /admin/webhooks/{id}/resume',
    'catalogue DELETE /admin/webhooks/{id}',
  ],
}
