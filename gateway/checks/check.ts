/** What a step judges, one thing at a time: steps run all of it until something refuses, an explanation all of it. */
import { basedOn } from '../../protocol/errors.ts'
import type { CatalogueView } from '../catalogue-view.ts'

/** One condition of a step, on what is known of a call. */
export interface Check<S> {
  /** In words, as an explanation names it. */
  readonly name: string
  /** Checks before it, without which nothing can be said here. */
  readonly needs?: readonly string[]
  /** @throws ExchangeError to refuse. */
  readonly verify: (state: S) => void
}

/** Goes through checks of a snapshot in their order. @throws ExchangeError of the first that refuses. */
export function verifyAll<S extends { readonly catalogue: CatalogueView }>(
  checks: readonly Check<S>[],
  state: S,
): void {
  basedOn({ snapshot: state.catalogue.number }, () => {
    for (const { verify } of checks) verify(state)
  })
}
