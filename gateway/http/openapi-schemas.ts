/** What a gateway's answers look like, in JSON Schema 2020-12. The tests hold answers against them. */
import {
  base64,
  listOf,
  named,
  object,
  oneOf,
  text,
  time,
  whole,
  type Answer,
} from '../../runtime/route-description.ts'

const position = {
  type: 'integer',
  minimum: 1,
  description: 'Of a record in the log, from 1 on: the index of its leaf in the tree plus one.',
} as const

const summary = {
  required: {
    position,
    exchangeId: text,
    side: oneOf('client', 'provider'),
    at: { ...time, description: 'When it began.' },
    outcome: oneOf('ok', 'error', 'refused', 'unanswered'),
  },
  optional: {
    endedAt: time,
    client: text,
    service: text,
    method: text,
    target: text,
    messageId: text,
    userId: text,
    issue: text,
    purpose: text,
    peer: { ...text, description: 'The other gateway.' },
    status: { type: 'integer', minimum: 100, maximum: 599 },
    code: { ...text, description: 'Of a refusal.' },
    origin: oneOf('client-gateway', 'provider-gateway', 'service', 'catalogue', 'authority'),
  },
}

export const EXCHANGE = named('Exchange', object(summary.required, summary.optional))
export const RECORD = named(
  'Record',
  object(
    {
      position,
      salt: base64,
      commitment: {
        ...base64,
        description: 'SHA-256(salt ‖ record), the entry of the tree (protocol/README.md §12.2).',
      },
      exchangeId: text,
      kind: oneOf(
        ...['request', 'response', 'refusal'],
        ...['erasure', 'hold', 'release', 'query', 'archive'],
      ),
      at: time,
      recordedAt: time,
    },
    {
      ...summary.optional,
      side: summary.required.side,
      begunAt: { ...position, description: 'Of the record that this run began with.' },
      representedParty: text,
      manifest: { ...text, description: 'Compact JWS.' },
      kept: oneOf('full', 'digest', 'none'),
      bodyBytes: whole,
      detail: text,
      actor: { ...text, description: 'Of an event: who had it done.' },
    },
  ),
)

const RECORDED = named('Recorded', {
  ...object({ exchangeId: text, position }),
  description: 'Where this query stands in the log, of which it is a record like any other.',
})
const DRAWN_EXCHANGE = named(
  'DrawnExchange',
  object(
    {
      ...summary.required,
      ticket: {
        type: 'string',
        pattern: '^[0-9a-f]{64}$',
        description: 'SHA-256 of "spean-sample/v1", the seed and the position, a line each.',
      },
    },
    summary.optional,
  ),
)
export const EXCHANGES = named(
  'Exchanges',
  object(
    { exchanges: listOf(EXCHANGE), recorded: RECORDED },
    { next: { ...position, description: '`before` of the next page; absent: this is the last.' } },
  ),
)
export const ENTRIES = named('Entries', object({ entries: listOf(RECORD), recorded: RECORDED }))
const TREE = named(
  'Tree',
  object(
    {
      origin: { ...text, description: 'First line of its checkpoints.' },
      size: whole,
      rootHash: base64,
    },
    { checkpoint: { ...text, description: 'Signed note, with the cosignatures that are there.' } },
  ),
)
export const DRAWN = named(
  'Sample',
  object({
    seed: text,
    size: { type: 'integer', minimum: 1, maximum: 1000 },
    tree: TREE,
    eligible: { ...whole, description: 'How many exchanges it was drawn from.' },
    exchanges: { ...listOf(DRAWN_EXCHANGE), description: 'Lowest ticket first.' },
    recorded: RECORDED,
  }),
)
export const EXPORTED: Answer = {
  headers: {
    'x-spean-recorded': {
      description: 'Position and exchange id under which the query stands in the log.',
      schema: text,
    },
  },
  content: {
    'application/x-ndjson': { type: 'string', description: 'One `Exchange` in each line.' },
    'text/csv': {
      type: 'string',
      description:
        'RFC 4180 in UTF-8 with a byte order mark. A text that a spreadsheet would take for a formula begins with an apostrophe.',
    },
  },
}

const endpoint = object({ method: text, path: text })
export const CONNECTION = named(
  'Connection',
  object(
    { service: text, url: text },
    { timeoutMs: { ...whole, nullable: true }, caCertificates: { ...text, nullable: true } },
  ),
)
export const GRANT = named(
  'Grant',
  object({
    id: text,
    subject: text,
    service: text,
    endpoints: listOf(endpoint),
    grantedAt: time,
  }),
)
export const SYSTEM = named(
  'InformationSystem',
  object({
    client: text,
    thumbprint: text,
    subject: text,
    issuer: text,
    notBefore: time,
    notAfter: time,
    pem: text,
  }),
)

const health = { description: 'docs/administration.md says what stands in it.' }
export const GATEWAY_STATUS = named(
  'GatewayStatus',
  object(
    {
      program: { const: 'gateway' },
      gatewayId: text,
      instance: text,
      time,
      catalogue: health,
      anchor: health,
      certificates: listOf(health),
      notices: listOf({}),
      ocsp: health,
      tree: health,
      log: health,
      timeStamping: health,
      validation: health,
      witnessing: health,
      warnings: listOf(text),
      memoryBytes: whole,
      uptimeSeconds: whole,
    },
    {
      clock: health,
      snapshot: object({ number: whole, issuedAt: time, expiresAt: time }),
      renewal: listOf(health),
    },
  ),
)
