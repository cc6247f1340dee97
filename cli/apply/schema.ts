/** What a file of wanted state may say. What a field left out means: docs/declarative.md. */

const text = (maxLength = 300) => ({ type: 'string', minLength: 1, maxLength }) as const
/** `null` takes the field away. */
const orNone = <T extends { readonly type: string }>(schema: T) =>
  ({ ...schema, type: [schema.type, 'null'] }) as const
const oneOf = (...words: readonly string[]) => ({ type: 'string', enum: words }) as const
const oneOrNone = (...words: readonly string[]) =>
  ({ type: ['string', 'null'], enum: [...words, null] }) as const
const list = (items: object) => ({ type: 'array', items }) as const
const record = (properties: Readonly<Record<string, object>>, required: readonly string[] = []) =>
  ({ type: 'object', additionalProperties: false, required, properties }) as const
const map = (of: object) => ({ type: 'object', additionalProperties: of }) as const

/** PEM, or the path of a file of it. */
const certificate = text(200_000)
const certificates = list(certificate)
const url = text(2000)
const texts = record({ en: text(5000), km: text(5000), lo: text(5000) })

/** Kept apart in the catalogue: what people read of a service. */
export const ENTRY_FIELDS = {
  titles: orNone(texts),
  descriptions: orNone(texts),
  owner: orNone(record({ name: text(), url }, ['name'])),
  contact: orNone(record({ name: text(), email: text(), phone: text(), url })),
  legalBasis: orNone(list(record({ title: text(), url }, ['title']))),
  purposes: orNone(list(text())),
  fees: orNone(texts),
  serviceLevel: orNone(
    record({
      availabilityPercent: { type: 'number', minimum: 0, maximum: 100 },
      answerMs: { type: 'integer', minimum: 1 },
      hours: text(),
    }),
  ),
  dataSources: orNone(list(text())),
  samples: orNone(
    list(
      record(
        {
          title: text(),
          method: oneOf('GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'HEAD'),
          path: text(2000),
          request: text(20_000),
          answer: text(20_000),
        },
        ['title', 'method', 'path'],
      ),
    ),
  ),
} as const

const service = record({
  title: text(),
  description: { type: ['string', 'object', 'null'], minLength: 1 },
  classification: oneOrNone('public', 'internal', 'personal', 'sensitive'),
  validation: oneOrNone('enforce', 'report', 'off'),
  version: text(40),
  state: oneOf('draft', 'published', 'deprecated', 'retired'),
  sunset: text(40),
  successor: orNone(text(700)),
  effectiveAt: text(40),
  reason: text(),
  ...ENTRY_FIELDS,
})

const gatewaySettings = record({
  services: map(
    record({
      url,
      timeoutMs: orNone({ type: 'integer', minimum: 100, maximum: 3_600_000 } as const),
      caCertificates: orNone(certificate),
    }),
  ),
  grants: list(
    record({ subject: text(700), service: text(700), endpoints: list(text(2100)) }, [
      'subject',
      'service',
    ]),
  ),
  informationSystems: map(certificates),
  identityProviders: list(
    record(
      {
        member: text(600),
        issuer: text(500),
        jwksUrl: text(2000),
        jwks: { type: 'object' },
        caCertificates: certificate,
      },
      ['member', 'issuer'],
    ),
  ),
})

/** JSON Schema of one document. */
export const documentSchema = record(
  {
    version: { type: 'integer', enum: [1] },
    instance: text(100),
    authorities: map(
      record({
        certificates,
        subjectProfile: { type: ['object', 'null'] },
        ocspNonce: oneOf('required', 'optional'),
      }),
    ),
    timeStampingAuthorities: map(
      record({ url, certificates, order: { type: 'integer', minimum: 0, maximum: 1000 } }),
    ),
    members: map(record({ name: text(), certificates })),
    subsystems: map(record({ name: text() })),
    gateways: map(record({ address: text(), clients: list(text(600)), certificates })),
    groups: map(record({ title: text(), members: list(text(600)) })),
    services: map(service),
    stops: map(record({ reason: text() }, ['reason'])),
    witnesses: map(record({ vkey: text(1000), url }, ['vkey', 'url'])),
    gatewayWitnesses: map(record({ vkey: text(1000), url }, ['vkey', 'url'])),
    logKeys: list(record({ gateway: text(600), vkey: text(1000), url }, ['gateway', 'vkey'])),
    witnessPolicy: record({
      quorum: oneOf('none'),
      threshold: { type: 'integer', minimum: 1, maximum: 1000 },
      witnesses: list(text(600)),
      text: text(100_000),
    }),
    webhooks: list(record({ url, services: list(text(700)) }, ['url'])),
    gatewaySettings: map(gatewaySettings),
  },
  ['version', 'instance'],
)
