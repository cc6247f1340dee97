/** What a run of the soak has shown. */
export interface SoakResult {
  readonly exchanges: number
  /** By code. */
  readonly failures: ReadonlyMap<string, number>
  /** Calls that had not ended a minute after the load did. */
  readonly unfinished: number
  readonly rate: number
  readonly durationMs: number
  readonly lifetimeMs: number
  /** Certificates that were seen in use, by gateway and kind. */
  readonly used: ReadonlyMap<string, ReadonlySet<string>>
}

/** Two gateways, each with a certificate for authentication and one for signing. */
const SLOTS = 4

/**
 * What is wrong, in sentences; nothing when the run proves what it is for. One in which nothing was renewed, or hardly
 * anything called, proves nothing.
 */
export function faultsOf(result: SoakResult): string[] {
  const { exchanges, failures, unfinished, rate, durationMs, lifetimeMs, used } = result
  const expected = Math.floor((rate * durationMs) / 1000)
  // The last is renewed when a third of its life is left, and is in use a little later.
  const least = Math.max(1, Math.floor(durationMs / lifetimeMs))
  const failed = [...failures.values()].reduce((sum, count) => sum + count, 0)
  return [
    ...(failed > 0 ? [`${failed} exchanges failed`] : []),
    ...(unfinished > 0 ? [`${unfinished} exchanges did not end`] : []),
    ...(exchanges < expected / 2
      ? [`${exchanges} exchanges were made, and ${expected} were to be`]
      : []),
    ...(used.size < SLOTS ? [`${used.size} of ${SLOTS} kinds of certificates were seen`] : []),
    ...[...used].flatMap(([slot, { size }]) =>
      size < least ? [`${slot}: ${size} certificates were used, and ${least} were to be`] : [],
    ),
  ]
}
