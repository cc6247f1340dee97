import type { JSONSchemaType } from 'ajv'
import { s3Schema, type S3Config } from './archive/s3-config.ts'
import type { Keeping } from './record.ts'

export const CLASSIFICATIONS = ['public', 'internal', 'personal', 'sensitive'] as const
export type Classification = (typeof CLASSIFICATIONS)[number]

/** What is kept of the messages of some services, and for how long. */
export interface KeepingRule {
  /** A service identifier, or the beginning of one with `*` at its end. */
  service?: string
  /** As the catalogue classifies the service. */
  classification?: Classification
  /** `full`: header block and body; `digest`: the header block; `none`: neither. Their digests are always in the manifest. */
  keep: Keeping
  /** After so many days header blocks and bodies are erased, unless held. Absent: never. */
  days?: number
}
export interface LogArchiveConfig {
  /** Folder for archives, on this machine or mounted. Either this or `s3`. */
  folder?: string
  s3?: S3Config
  /** A calendar month (UTC) is archived so many days after its end. Absent: only by `spean log archive`. */
  afterDays?: number
}
export interface ExchangeLogConfig {
  /** File with the URL of a PostgreSQL database (`postgres://USER:PASSWORD@HOST/NAME`) that all replicas share. Absent: SQLite in `stateDir`. */
  postgresUrlFile?: string
  /** The log grows to this size and then refuses, so that it cannot fill the disk. */
  maxBytes: number
  /** Free space of the disk below which the state of the log is `warning`. */
  warnFreeBytes: number
  /** The first rule that fits a service decides; none fits: header block and body are kept, forever. */
  rules: KeepingRule[]
  /** The key under which the keys of records are encrypted: 32 bytes in a file, which is made at first start, or a `pkcs11:` URI of an AES key. Default `stateDir/log-encryption.key`. */
  encryptionKey?: string
  /** The Ed25519 key that signs checkpoints, made at first start. Default `stateDir/log.key`. Replicas share it. */
  signingKeyFile?: string
  /** Where records go that are old. Absent: they stay in the log. */
  archive?: LogArchiveConfig
  /** Counts the logs that this gateway has had: the second is kept in `stateDir/log2`, with a key of its own. Only a log that was lost is followed by another. */
  number: number
}

/** Where the files of a log are; those of a log before it stay where they are. */
export function logFolder(stateDir: string, number: number): string {
  return number === 1 ? stateDir : `${stateDir}/log${number}`
}

const bytes = { type: 'integer', minimum: 0 } as const

export const exchangeLogSchema: JSONSchemaType<ExchangeLogConfig> = {
  type: 'object',
  additionalProperties: false,
  required: [],
  default: {
    maxBytes: 1_099_511_627_776,
    warnFreeBytes: 5_368_709_120,
    rules: [],
    number: 1,
  },
  properties: {
    postgresUrlFile: { type: 'string', minLength: 1, nullable: true },
    maxBytes: { ...bytes, minimum: 65_536, default: 1_099_511_627_776 },
    warnFreeBytes: { ...bytes, default: 5_368_709_120 },
    rules: {
      type: 'array',
      default: [],
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['keep'],
        properties: {
          service: { type: 'string', pattern: '^[^*]+\\*?$', nullable: true },
          classification: { type: 'string', enum: CLASSIFICATIONS, nullable: true },
          keep: { type: 'string', enum: ['full', 'digest', 'none'] },
          days: { type: 'integer', minimum: 0, maximum: 36_525, nullable: true },
        },
      },
    },
    encryptionKey: { type: 'string', minLength: 1, nullable: true },
    signingKeyFile: { type: 'string', minLength: 1, nullable: true },
    archive: {
      type: 'object',
      nullable: true,
      additionalProperties: false,
      required: [],
      properties: {
        folder: { type: 'string', minLength: 1, nullable: true },
        s3: { ...s3Schema, nullable: true },
        afterDays: { type: 'integer', minimum: 0, maximum: 36_525, nullable: true },
      },
    },
    number: { type: 'integer', minimum: 1, maximum: 1000, default: 1 },
  },
}
