/** What `spean status` says of witnesses. */
export interface WitnessedStatus {
  /** Of a gateway. */
  readonly witnessing?: {
    readonly cosigning: {
      readonly state: string
      readonly waitingSince?: string
      readonly witnesses: readonly { readonly name: string; readonly fault?: string }[]
    }
    readonly rolledBack?: { readonly detail: string }
    readonly witness: WitnessStatus
    readonly policyFault?: string
    readonly keys?: { readonly fault?: { readonly code: string; readonly detail: string } }
  }
  /** Of the catalogue as a witness. */
  readonly witness?: WitnessStatus
}
interface WitnessStatus {
  readonly misbehaving: readonly {
    readonly origin: string
    readonly kind: string
    readonly at: string
  }[]
}

const MISBEHAVIOUR: Record<string, string> = {
  fork: 'signed two trees of one size',
  inconsistent: 'does not show that it continues what it had shown',
  shrunk: 'shows less than it had shown',
}

/** What a person should look at. */
export function witnessNotes({
  witnessing,
  witness = witnessing?.witness,
}: WitnessedStatus): string[] {
  const misbehaving = (witness?.misbehaving ?? []).map(
    ({ origin, kind, at }) =>
      `the log ${origin} ${MISBEHAVIOUR[kind] ?? kind}, seen at ${at} (spean witness refusals)`,
  )
  if (witnessing === undefined) return misbehaving
  const { cosigning, rolledBack, keys, policyFault } = witnessing
  const [first, ...others] = cosigning.witnesses.flatMap(({ fault }) => fault ?? [])
  const more = others.length > 0 ? `, and ${others.length} more` : ''
  const why = first === undefined ? '' : ` (${first}${more})`
  const fault = keys?.fault
  return [
    ...(rolledBack ? [`exchanges are refused: ${rolledBack.detail}; see docs/witnesses.md`] : []),
    ...(cosigning.state === 'late'
      ? [`checkpoints without enough cosignatures since ${cosigning.waitingSince}${why}`]
      : []),
    ...(policyFault
      ? [`nobody cosigns: the log policy of the snapshot cannot be read (${policyFault})`]
      : []),
    ...(fault ? [`the keys of the log are not registered (${fault.code}): ${fault.detail}`] : []),
    ...misbehaving,
  ]
}
