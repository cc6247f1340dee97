import { hash } from 'node:crypto'
import type { ExchangeSummary } from './store.ts'

export interface Drawn {
  /** Lowercase hex. */
  readonly ticket: string
  readonly exchange: ExchangeSummary
}

/** The ticket of a record: SHA-256 of three lines, so that a shell can compute it (docs/auditing.md). */
export function ticketOf(seed: string, position: number): string {
  return hash('sha256', `spean-sample/v1\n${seed}\n${position}\n`, 'hex')
}

/**
 * Draws the exchanges with the lowest tickets. The same seed and the same exchanges give the same sample,
 * in whatever order they come; it holds `size` exchanges in memory and no more.
 */
export async function drawSample(
  pages: AsyncIterable<readonly ExchangeSummary[]>,
  { seed, size }: { readonly seed: string; readonly size: number },
): Promise<{ eligible: number; drawn: Drawn[] }> {
  const drawn: Drawn[] = []
  let eligible = 0
  for await (const page of pages) {
    eligible += page.length
    for (const exchange of page) {
      const ticket = ticketOf(seed, exchange.position)
      if (drawn.length === size && ticket > drawn.at(-1)!.ticket) continue
      drawn.splice(placeOf(ticket, drawn), 0, { ticket, exchange })
      if (drawn.length > size) drawn.pop()
    }
  }
  return { eligible, drawn }
}

/** Where a ticket belongs among sorted ones. */
function placeOf(ticket: string, drawn: readonly Drawn[]): number {
  let low = 0
  let high = drawn.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (drawn[middle]!.ticket < ticket) low = middle + 1
    else high = middle
  }
  return low
}
