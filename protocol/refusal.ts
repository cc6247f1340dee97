/** What a refusal says beside its code: what it was decided by, and who can mend it (protocol/README.md §8.1, §8.4). */

/** A row of the error table: `here` is the operator of the gateway that refused, `there` of the other one. */
export type MoveEntry = 'client' | 'provider' | 'instance' | 'here' | 'there'

/** Who can do something about a refusal. */
export type Move = 'client' | 'provider' | 'instance' | 'client-gateway' | 'provider-gateway'

/** In words for people, after "To act: ". */
export const MOVE_WORDS: Readonly<Record<Move, string>> = {
  client: 'the client',
  provider: 'the provider',
  instance: 'the operator of the instance',
  'client-gateway': "the operator of the client's gateway",
  'provider-gateway': "the operator of the provider's gateway",
}

/** What a decision was made by; what had no part in it is absent. */
export interface Basis {
  /** Number of the snapshot. */
  readonly snapshot?: number
  /** Digest of the contract (protocol/README.md §13.1). */
  readonly contract?: string
  readonly contractId?: string
  /** Member of the contract, or `classification`, `revocation`. */
  readonly clause?: string
  /** Id of the grant. */
  readonly grant?: string
}

const FORMS = {
  contract: /^[A-Za-z0-9_-]{43}$/,
  contractId: /^[0-9a-f-]{36}$/,
  clause: /^[A-Za-z]{1,40}$/,
  grant: /^[A-Za-z0-9-]{1,64}$/,
} as const

/** Reads a basis that another gateway sent; what is not of its form is left out. */
export function readBasis(value: unknown): Basis | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const given = value as Readonly<Record<string, unknown>>
  const { snapshot } = given
  const isNumber = Number.isSafeInteger(snapshot) && (snapshot as number) > 0
  const texts = Object.entries(FORMS).flatMap(([name, form]) => {
    const text = Object.hasOwn(given, name) ? given[name] : undefined
    return typeof text === 'string' && form.test(text) ? [[name, text] as const] : []
  })
  const basis: Basis = {
    ...(isNumber ? { snapshot: snapshot as number } : {}),
    ...Object.fromEntries(texts),
  }
  return Object.keys(basis).length === 0 ? undefined : basis
}

/** Reads the name of a step of protocol/README.md §6 that another gateway sent. */
export function readStep(value: unknown): string | undefined {
  return typeof value === 'string' && /^[a-z][a-z-]{0,39}$/.test(value) ? value : undefined
}
