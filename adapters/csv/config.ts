import type { JSONSchemaType } from 'ajv'

export interface CsvAdapterConfig {
  /** CSV file: UTF-8, a header line, RFC 4180 quoting. Relative to the configuration file. */
  file: string
  /** Column that identifies a row; left out: `code` if there is one, else the first column. */
  key?: string
  /** First path segment of the service: rows stand at `/SERVICE/{key}`. */
  service: string
  port: number
  /** Address to listen on. Nothing here asks who calls: leave it where only the gateway reaches it. */
  host: string
  /** Puts values of the rows into the description, which everybody may read: not for personal data. */
  examples: boolean
}

export const csvAdapterConfigSchema: JSONSchemaType<CsvAdapterConfig> = {
  type: 'object',
  additionalProperties: false,
  required: ['file', 'service', 'port'],
  properties: {
    file: { type: 'string', minLength: 1 },
    key: { type: 'string', minLength: 1, nullable: true },
    service: { type: 'string', minLength: 1 },
    port: { type: 'integer', minimum: 0, maximum: 65535 },
    host: { type: 'string', minLength: 1, default: '127.0.0.1' },
    examples: { type: 'boolean', default: false },
  },
}
