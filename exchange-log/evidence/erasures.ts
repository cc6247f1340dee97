/** Ranges of positions that the detail of an `erasure` event names (protocol/README.md §12.2). */
type Range = readonly [first: number, last: number]

/**
 * Whether an event erased what was kept of the record at a position.
 *
 * @param detail of the event; whoever made the archive may have written it.
 */
export function erases(detail: unknown, position: number): boolean {
  return rangesOf(detail).some(([first, last]) => first <= position && position <= last)
}

function rangesOf(detail: unknown): Range[] {
  if (typeof detail !== 'string') return []
  try {
    const { positions } = JSON.parse(detail) as { positions?: unknown }
    return Array.isArray(positions) ? positions.filter(isRange) : []
  } catch {
    return []
  }
}

function isRange(value: unknown): value is Range {
  return Array.isArray(value) && value.length === 2 && value.every(Number.isSafeInteger)
}
