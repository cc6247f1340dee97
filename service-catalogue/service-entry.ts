import type { JSONSchemaType } from 'ajv'
import { bodyParser } from '../runtime/admin-api.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { displayText } from './input.ts'

export const LANGUAGES = ['en', 'km', 'lo'] as const
export type Language = (typeof LANGUAGES)[number]
/** One text in up to three languages. */
export type Texts = Partial<Record<Language, string>>

/** What people read of a service; gateways need none of it. */
export interface ServiceEntry {
  titles?: Texts
  descriptions?: Texts
  owner?: { name: string; url?: string }
  contact?: { name?: string; email?: string; phone?: string; url?: string }
  /** Laws and decrees that the service rests on. */
  legalBasis?: { title: string; url?: string }[]
  /** For which it may be asked. */
  purposes?: string[]
  fees?: Texts
  serviceLevel?: { availabilityPercent?: number; answerMs?: number; hours?: string }
  /** Registers that its data comes from. */
  dataSources?: string[]
  samples?: { title: string; method: string; path: string; request?: string; answer?: string }[]
}

const long = { type: 'string', minLength: 1, maxLength: 5000, nullable: true } as const
const short = { ...displayText, nullable: true } as const
const url = {
  type: 'string',
  pattern: '^https?://[^\\s<>"]+$',
  maxLength: 2000,
  nullable: true,
} as const
const textsOf = <T extends object>(text: T) =>
  ({
    type: 'object',
    nullable: true,
    additionalProperties: false,
    required: [],
    minProperties: 1,
    properties: { en: text, km: text, lo: text },
  }) as const

const schema: JSONSchemaType<ServiceEntry> = {
  type: 'object',
  additionalProperties: false,
  required: [],
  properties: {
    titles: textsOf(short),
    descriptions: textsOf(long),
    owner: {
      type: 'object',
      nullable: true,
      additionalProperties: false,
      required: ['name'],
      properties: { name: displayText, url },
    },
    contact: {
      type: 'object',
      nullable: true,
      additionalProperties: false,
      required: [],
      minProperties: 1,
      properties: {
        name: short,
        email: {
          type: 'string',
          pattern: '^[^\\s@<>"]+@[^\\s@<>"]+$',
          maxLength: 254,
          nullable: true,
        },
        phone: { type: 'string', pattern: '^\\+?[0-9 ()-]{3,40}$', nullable: true },
        url,
      },
    },
    legalBasis: {
      type: 'array',
      nullable: true,
      maxItems: 50,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['title'],
        properties: { title: displayText, url },
      },
    },
    purposes: {
      type: 'array',
      nullable: true,
      maxItems: 100,
      uniqueItems: true,
      items: displayText,
    },
    fees: textsOf(long),
    serviceLevel: {
      type: 'object',
      nullable: true,
      additionalProperties: false,
      required: [],
      properties: {
        availabilityPercent: { type: 'number', minimum: 0, maximum: 100, nullable: true },
        answerMs: { type: 'integer', minimum: 1, nullable: true },
        hours: short,
      },
    },
    dataSources: { type: 'array', nullable: true, maxItems: 50, items: displayText },
    samples: {
      type: 'array',
      nullable: true,
      maxItems: 20,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['title', 'method', 'path'],
        properties: {
          title: displayText,
          method: { type: 'string', enum: ['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'HEAD'] },
          path: { type: 'string', pattern: '^/\\S*$', maxLength: 2000 },
          request: { ...long, maxLength: 20_000 },
          answer: { ...long, maxLength: 20_000 },
        },
      },
    },
  },
}

export const ENTRY_PROPERTIES: object = schema.properties ?? {}

/** @throws ExchangeError `admin.invalid` naming every fault by its pointer. */
export const parseEntry = bodyParser<ServiceEntry>(schema)

/** Empty for a service of which nothing was written. */
export function readEntry(db: Database, service: string): ServiceEntry {
  const row = db.get<{ entry: string }>(
    'SELECT entry FROM service_entry WHERE service = ?',
    service,
  )
  return JSON.parse(row?.entry ?? '{}') as ServiceEntry
}
