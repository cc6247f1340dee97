import type { JSONSchemaType } from 'ajv'
import { bodyParser } from '../../runtime/admin-api.ts'
import type { CertificateKind } from '../identity.ts'
import type { RevocationReason } from '../revocation-reason.ts'

/** An identity as the administration names it: the instance is the authority's own. */
export interface LocalIdentity {
  memberClass: string
  member: string
  gateway?: string
  subsystem?: string
}

const part = { type: 'string', minLength: 1, maxLength: 255 } as const
const identitySchema = {
  type: 'object',
  additionalProperties: false,
  required: ['memberClass', 'member'],
  properties: {
    memberClass: part,
    member: part,
    gateway: { ...part, nullable: true },
    subsystem: { ...part, nullable: true },
  },
} as const
const kind = {
  type: 'string',
  enum: ['authentication', 'signing', 'information-system', 'server'],
} as const
const subjectAltNames = {
  type: 'array',
  maxItems: 32,
  items: { type: 'string', minLength: 1, maxLength: 253 },
  nullable: true,
} as const

interface IssueBody {
  csr: string
  kind: CertificateKind
  identity: LocalIdentity
  subjectAltNames?: string[]
  validityDays?: number
  /** Certificates of one enrolment may renew each other's. */
  enrolment?: string
}
const issueSchema: JSONSchemaType<IssueBody> = {
  type: 'object',
  additionalProperties: false,
  required: ['csr', 'kind', 'identity'],
  properties: {
    csr: { type: 'string', minLength: 1, maxLength: 65_536 },
    kind,
    identity: identitySchema,
    subjectAltNames,
    validityDays: { type: 'integer', minimum: 1, maximum: 3650, nullable: true },
    enrolment: { type: 'string', minLength: 1, maxLength: 255, nullable: true },
  },
}
export const parseIssueBody = bodyParser(issueSchema)

/** Those of RFC 5280 §5.3.1 that are said of a leaf for good: a hold could be lifted, ours cannot. */
type LeafReason = Exclude<
  RevocationReason,
  'certificateHold' | 'removeFromCRL' | 'cACompromise' | 'aACompromise'
>
const revokeSchema: JSONSchemaType<{ reason: LeafReason }> = {
  type: 'object',
  additionalProperties: false,
  required: ['reason'],
  properties: {
    reason: {
      type: 'string',
      enum: [
        'unspecified',
        'keyCompromise',
        'affiliationChanged',
        'superseded',
        'cessationOfOperation',
        'privilegeWithdrawn',
      ],
    },
  },
}
export const parseRevokeBody = bodyParser(revokeSchema)

interface CodeBody {
  orders: { kind: CertificateKind; identity: LocalIdentity; subjectAltNames?: string[] }[]
  /** How long the code is good. */
  validitySeconds?: number
  note?: string
}
const codeSchema: JSONSchemaType<CodeBody> = {
  type: 'object',
  additionalProperties: false,
  required: ['orders'],
  properties: {
    orders: {
      type: 'array',
      minItems: 1,
      maxItems: 64,
      items: {
        type: 'object',
        additionalProperties: false,
        required: ['kind', 'identity'],
        properties: { kind, identity: identitySchema, subjectAltNames },
      },
    },
    validitySeconds: { type: 'integer', minimum: 1, maximum: 31_536_000, nullable: true },
    note: { type: 'string', maxLength: 300, nullable: true },
  },
}
export const parseCodeBody = bodyParser(codeSchema)

const rejectSchema: JSONSchemaType<{ reason: string }> = {
  type: 'object',
  additionalProperties: false,
  required: ['reason'],
  properties: { reason: { type: 'string', minLength: 1, maxLength: 300 } },
}
export const parseRejectBody = bodyParser(rejectSchema)

/** JSON's null and a missing key say the same. */
export function withoutNull<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== null)) as T
}
