import type { Report } from './finding.ts'
import { missingFinding } from './leaf-check.ts'

/** Positions that have no record: ranges that touch are one finding, however many steps it takes to find them. */
export interface Gaps {
  readonly isOpen: boolean
  /** Ranges come in their order. */
  add(first: number, last: number): void
  /** Reports what may still have grown. */
  close(): void
}

export function createGaps(report: Report): Gaps {
  let open: { readonly first: number; readonly last: number } | undefined
  const close = (): void => {
    if (open === undefined) return
    report(missingFinding(open.first, open.last - open.first + 1, 'no record has the position'))
    open = undefined
  }
  return {
    get isOpen() {
      return open !== undefined
    },
    add: (first, last) => {
      if (open?.last === first - 1) {
        open = { first: open.first, last }
        return
      }
      close()
      open = { first, last }
    },
    close,
  }
}
