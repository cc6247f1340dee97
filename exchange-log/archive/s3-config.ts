import type { JSONSchemaType } from 'ajv'

/** A bucket of an S3-compatible store. */
export interface S3Config {
  /** `https://HOST[:PORT]`; buckets are addressed by path. */
  endpoint: string
  bucket: string
  /** As the store names it; those that have none take any. */
  region: string
  /** Put before the name of each archive. */
  prefix: string
  /** `aws_access_key_id = …`, `aws_secret_access_key = …` (and `aws_session_token = …`), a line each. Read again for each archive. */
  credentialsFile: string
  /** PEM; absent: the authorities that Node trusts. */
  caFile?: string
}

export const s3Schema: JSONSchemaType<S3Config> = {
  type: 'object',
  additionalProperties: false,
  required: ['endpoint', 'bucket', 'credentialsFile'],
  properties: {
    // Records stand in an archive as they are, with the ids of users: no plain HTTP.
    endpoint: { type: 'string', pattern: '^https://[^/?#@]+$' },
    bucket: { type: 'string', pattern: '^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$' },
    region: { type: 'string', minLength: 1, default: 'us-east-1' },
    prefix: { type: 'string', pattern: '^([A-Za-z0-9._-]+/)*$', default: '' },
    credentialsFile: { type: 'string', minLength: 1 },
    caFile: { type: 'string', minLength: 1, nullable: true },
  },
}
