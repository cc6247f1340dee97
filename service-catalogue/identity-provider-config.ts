import type { JSONSchemaType } from 'ajv'
import { ROLES, type Role } from '../runtime/roles.ts'

/** The first whose claim has the value decides. */
export interface RoleMapping {
  claim: string
  /** Of the claim, or one of its values. */
  value: string
  role: Role
  /** Members of an administrator, subsystems or services of a service owner, as `INSTANCE/CLASS/MEMBER`. */
  scope?: string[]
  /** Or the claim that has them. */
  scopeClaim?: string
}

/** OpenID Connect provider whose tokens are taken of people. */
export interface IdentityProviderConfig {
  /** Short, for the audit trail. */
  name: string
  /** As in `iss`: `https://…`, or `http://` of this machine. */
  issuer: string
  /** What must be in `aud`: the client id for ID tokens, the resource for access tokens. */
  audience: string
  /** Where its keys are; else its discovery document says it. */
  jwksUrl?: string
  /** PEM roots of its HTTPS certificate; those of the system when left out. */
  caFile?: string
  /** Says who it is; the same person in API keys is written `NAME:VALUE`. */
  personClaim: string
  roles: RoleMapping[]
}

/** Whoever is between could give keys of their own: no other machine is asked without TLS. */
export const SAFE_URL = /^(https:\/\/|http:\/\/(localhost|127\.0\.0\.1)[:/])[^?#@\s]+$/
const url = { type: 'string', pattern: SAFE_URL.source } as const
const text = { type: 'string', minLength: 1, maxLength: 300 } as const

export const identityProvidersSchema: JSONSchemaType<IdentityProviderConfig[]> = {
  type: 'array',
  items: {
    type: 'object',
    additionalProperties: false,
    required: ['name', 'issuer', 'audience', 'roles'],
    properties: {
      name: { type: 'string', pattern: '^[\\w.-]{1,50}$' },
      issuer: url,
      audience: text,
      jwksUrl: { ...url, nullable: true },
      caFile: { ...text, nullable: true },
      personClaim: { ...text, default: 'sub' },
      roles: {
        type: 'array',
        minItems: 1,
        items: {
          type: 'object',
          additionalProperties: false,
          required: ['claim', 'value', 'role'],
          properties: {
            claim: text,
            value: text,
            role: { type: 'string', enum: ROLES },
            scope: { type: 'array', items: { type: 'string' }, minItems: 1, nullable: true },
            scopeClaim: { ...text, nullable: true },
          },
        },
      },
    },
  },
}
