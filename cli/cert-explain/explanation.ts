import type { Certificate } from '../../pki/certificate.ts'

/** What a person should know besides the facts. */
export interface Finding {
  /** `wrong`: others refuse it, now or at the time asked about. `attention`: they do not, so far. */
  readonly severity: 'wrong' | 'attention'
  /** One sentence. */
  readonly what: string
  /** What to do about it, one sentence. */
  readonly remedy: string
}

export interface LinkFacts {
  readonly subject: string
  readonly issuer: string
  /** Where the certificate was found: `in the file`, `sent by the server`, `approved as NAME`. */
  readonly from: string
  readonly notAfter: string
  /** What was checked of this link, each with what is wrong; null: nothing. */
  readonly checks: Readonly<Record<string, string | null>>
}

export interface RevocationFacts {
  readonly subject: string
  readonly by: 'OCSP' | 'CRL' | 'stapled OCSP'
  /** Who was asked; absent for what the server sent. */
  readonly url?: string
  readonly status: 'good' | 'revoked' | 'unknown'
  readonly revokedAt?: string
  readonly reason?: string
  /** Since when, and until when, the answer holds. */
  readonly thisUpdate?: string
  readonly nextUpdate?: string
  /** How old the answer is, in words. */
  readonly age?: string
  /** Why the state is not known. */
  readonly fault?: string
}

/** All that could be found out. Members that are absent are explained in `unknown`. */
export interface Explanation {
  readonly input: string
  /** `a certificate for signing`, `an HTML page`. */
  readonly what: string
  readonly good: boolean
  /** By name, in the order in which people read them. */
  readonly facts: Readonly<Record<string, unknown>>
  readonly chain?: readonly LinkFacts[]
  readonly revocation?: readonly RevocationFacts[]
  readonly findings: readonly Finding[]
  /** What could not be found out, and what it would take. */
  readonly unknown: readonly string[]
}

/** Some certificates with where they came from, the one that is asked about first. */
export interface Shown {
  readonly certificates: readonly Certificate[]
  readonly from: string
}

export type Part = Pick<Explanation, 'facts' | 'findings' | 'unknown'> &
  Partial<Pick<Explanation, 'chain' | 'revocation'>>

/** Joins what several explainers found, in order. */
export function joinParts(
  input: string,
  what: string,
  parts: readonly Partial<Part>[],
): Explanation {
  const findings = parts.flatMap((part) => part.findings ?? [])
  const chain = parts.find((part) => part.chain)?.chain
  const revocation = parts.flatMap((part) => part.revocation ?? [])
  return {
    input,
    what,
    good: findings.every(({ severity }) => severity !== 'wrong'),
    facts: Object.assign({}, ...parts.map(({ facts }) => facts ?? {})) as Record<string, unknown>,
    ...(chain ? { chain } : {}),
    ...(revocation.length > 0 ? { revocation } : {}),
    findings,
    unknown: parts.flatMap((part) => part.unknown ?? []),
  }
}

export const wrong = (what: string, remedy: string): Finding => ({
  severity: 'wrong',
  what,
  remedy,
})
export const attention = (what: string, remedy: string): Finding => ({
  severity: 'attention',
  what,
  remedy,
})
