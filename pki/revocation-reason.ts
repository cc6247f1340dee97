/** CRLReason of RFC 5280 §5.3.1. */
export const REVOCATION_REASONS = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  certificateHold: 6,
  removeFromCRL: 8,
  privilegeWithdrawn: 9,
  aACompromise: 10,
} as const

export type RevocationReason = keyof typeof REVOCATION_REASONS

/** @returns `unspecified` for a number outside of the table. */
export function reasonOf(number: number): RevocationReason {
  const reasons = Object.keys(REVOCATION_REASONS) as RevocationReason[]
  return reasons.find((reason) => REVOCATION_REASONS[reason] === number) ?? 'unspecified'
}
