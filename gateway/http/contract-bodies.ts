/** What administrators send about contracts; what it means is read with the contract (protocol/README.md §13.1). */
import type { JSONSchemaType } from 'ajv'
import { METHODS } from '../../protocol/methods.ts'
import { bodyParser } from '../../runtime/admin-api.ts'

/** Members are those of the contract that is made of it. */
export type ContractBody = Readonly<Record<string, unknown>>

const line = {
  type: 'string',
  maxLength: 2000,
  pattern: '^[\\p{Z}\\ufeff]*[^\\s\\p{Cc}\\p{Cs}][^\\p{Cc}\\p{Cs}]*$',
} as const
const time = { type: 'string', maxLength: 40 } as const
const calls = { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER } as const
const changeable = {
  endpoints: {
    type: 'array',
    minItems: 1,
    maxItems: 1000,
    items: {
      type: 'object',
      additionalProperties: false,
      required: ['method', 'path'],
      properties: {
        method: { type: 'string', enum: ['*', ...METHODS] },
        path: { type: 'string', maxLength: 2000 },
        fields: {
          type: 'array',
          minItems: 1,
          maxItems: 1000,
          items: { type: 'string', maxLength: 2000 },
        },
      },
    },
  },
  purposes: { type: 'array', maxItems: 1000, items: line },
  validFrom: time,
  validUntil: time,
  quota: {
    type: 'object',
    additionalProperties: false,
    properties: { perSecond: calls, perDay: calls },
  },
  maxBodyBytes: calls,
  otherFields: { type: 'string', enum: ['refuse', 'strip'] },
  user: { type: 'string', enum: ['named', 'token'] },
  case: { type: 'boolean' },
} as const
const id = { type: 'string', minLength: 1, maxLength: 700 } as const

const parserOf = (required: readonly string[], properties: object) =>
  bodyParser<ContractBody>({
    type: 'object',
    additionalProperties: false,
    required,
    properties,
  } as unknown as JSONSchemaType<ContractBody>)

export const parseTerms = parserOf(['client', 'service', 'endpoints', 'validUntil', 'reason'], {
  client: id,
  service: id,
  ...changeable,
  reason: line,
})
export const parseChanges = parserOf(['reason'], { ...changeable, reason: line })
export const parseReason = parserOf(['reason'], { reason: line })
export const parseRenewal = parserOf(['validUntil', 'reason'], {
  validFrom: time,
  validUntil: time,
  reason: line,
})
export const parseNothing = parserOf([], {})
