/** What the administration of the authority answers. */
import type { ErrorCode } from '../../protocol/errors.ts'
import {
  ENCODING_REFUSALS,
  flag,
  listOf,
  named,
  object,
  oneOf,
  text,
  time,
  whole,
} from '../../runtime/route-description.ts'
import { PROFILES } from '../profiles.ts'

export const CSR_REFUSALS = [
  ...ENCODING_REFUSALS,
  ...(['admin.conflict', 'enrolment.proof-invalid', 'enrolment.key-refused'] as const),
  ...(['enrolment.identity-mismatch', 'enrolment.extension-refused'] as const),
  'enrolment.unavailable',
] as const satisfies readonly ErrorCode[]

const STATES = ['valid', 'expired', 'revoked'] as const
export const FILTER = {
  kind: { schema: oneOf(...Object.keys(PROFILES)) },
  state: { schema: oneOf(...STATES) },
  expiring: { schema: { ...whole, maximum: 99_999 }, description: 'Within so many days.' },
}
export const PAGE = {
  after: { schema: whole, description: 'Where the page before ended: its `next`.' },
  limit: { schema: whole, description: '100 when it is left out, 1000 at most.' },
}

const issued = {
  serial: text,
  kind: text,
  state: oneOf(...STATES),
  subject: text,
  thumbprint: text,
  notBefore: time,
  notAfter: time,
  issuedAt: time,
}
const more = { enrolment: text, revokedAt: time, reason: text }
export const ISSUED = named('IssuedCertificate', object(issued, more))
export const SHOWN = object(
  {
    ...issued,
    issuer: text,
    subjectAltNames: listOf(text),
    ocspUrls: listOf(text),
    caIssuersUrls: listOf(text),
    crlUrls: listOf(text),
    certificate: text,
  },
  more,
)
export const REVOKED = object({ ...issued, issuer: text }, { ...more, nextListAt: time })

const lists = listOf(
  named(
    'RevocationList',
    object({ issuer: text, number: whole, thisUpdate: time, nextUpdate: time }),
  ),
)
export const LISTS = object({ revocationLists: lists })
const brief = { thumbprint: text, notAfter: time }
export const STATUS = named(
  'AuthorityStatus',
  object({
    program: { const: 'authority' },
    instance: text,
    ready: flag,
    root: object({ ...brief, keyPresent: flag }),
    authentication: object(brief),
    signing: object(brief),
    certificates: object({ issued: whole, revoked: whole }),
    revocationLists: lists,
    pendingRequests: whole,
    warnings: listOf(text),
  }),
)
export const ENTRY = named(
  'JournalEntry',
  object(
    { position: whole, at: time, action: text, subject: text },
    { code: text, detail: text, remoteAddress: text, bytes: whole },
  ),
)
