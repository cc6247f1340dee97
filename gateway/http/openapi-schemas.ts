/** What the answers of the audit API look like, in JSON Schema 2020-12. The tests hold answers against them. */
const text = { type: 'string' } as const
const time = { type: 'string', format: 'date-time' } as const
const position = {
  type: 'integer',
  minimum: 1,
  description: 'Of a record in the log, from 1 on: the index of its leaf in the tree plus one.',
} as const
const base64 = { type: 'string', contentEncoding: 'base64' } as const

/** An object of which `required` members are always there, and which has no others than those named. */
function object(required: Record<string, object>, optional: Record<string, object> = {}): object {
  return {
    type: 'object',
    required: Object.keys(required),
    properties: { ...required, ...optional },
    additionalProperties: false,
  }
}
const ref = (name: string): object => ({ $ref: `#/components/schemas/${name}` })

const origin = {
  type: 'string',
  enum: ['client-gateway', 'provider-gateway', 'service', 'catalogue', 'authority'],
}
const summary = {
  required: {
    position,
    exchangeId: text,
    side: { type: 'string', enum: ['client', 'provider'] },
    at: { ...time, description: 'When it began.' },
    outcome: { type: 'string', enum: ['ok', 'error', 'refused', 'unanswered'] },
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
    origin,
  },
}

export const SCHEMAS: Readonly<Record<string, object>> = {
  Exchange: object(summary.required, summary.optional),
  DrawnExchange: object(
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
  Exchanges: object(
    { exchanges: { type: 'array', items: ref('Exchange') }, recorded: ref('Recorded') },
    { next: { ...position, description: '`before` of the next page; absent: this is the last.' } },
  ),
  Recorded: {
    ...object({ exchangeId: text, position }),
    description: 'Where this query stands in the log, of which it is a record like any other.',
  },
  Entries: object({ entries: { type: 'array', items: ref('Record') }, recorded: ref('Recorded') }),
  Record: object(
    {
      position,
      salt: base64,
      commitment: {
        ...base64,
        description: 'SHA-256(salt ‖ record), the entry of the tree (protocol/README.md §12.2).',
      },
      exchangeId: text,
      kind: {
        type: 'string',
        enum: [
          ...['request', 'response', 'refusal'],
          ...['erasure', 'hold', 'release', 'query', 'archive'],
        ],
      },
      at: time,
      recordedAt: time,
    },
    {
      ...summary.optional,
      side: summary.required.side,
      begunAt: { ...position, description: 'Of the record that this run began with.' },
      representedParty: text,
      manifest: { ...text, description: 'Compact JWS.' },
      kept: { type: 'string', enum: ['full', 'digest', 'none'] },
      bodyBytes: { type: 'integer', minimum: 0 },
      detail: text,
      actor: { ...text, description: 'Of an event: who had it done.' },
    },
  ),
  Sample: object({
    seed: text,
    size: { type: 'integer', minimum: 1, maximum: 1000 },
    tree: ref('Tree'),
    eligible: {
      type: 'integer',
      minimum: 0,
      description: 'How many exchanges it was drawn from.',
    },
    exchanges: { type: 'array', items: ref('DrawnExchange'), description: 'Lowest ticket first.' },
    recorded: ref('Recorded'),
  }),
  Tree: object(
    {
      origin: { ...text, description: 'First line of its checkpoints.' },
      size: { type: 'integer', minimum: 0 },
      rootHash: base64,
    },
    { checkpoint: { ...text, description: 'Signed note, with the cosignatures that are there.' } },
  ),
  Problem: {
    ...object(
      {
        type: text,
        title: text,
        status: { type: 'integer', minimum: 400, maximum: 599 },
        code: text,
        fault: text,
        origin,
        move: {
          type: 'string',
          enum: ['client', 'provider', 'instance', 'client-gateway', 'provider-gateway'],
          description: 'Who can act on the remedy.',
        },
        remedy: text,
        exchangeId: text,
      },
      { detail: text, step: text, basis: { type: 'object' } },
    ),
    description: 'RFC 9457; docs/error-codes.md has the codes.',
  },
}
