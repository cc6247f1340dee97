import { canonicalJson } from '../../protocol/canonical-json.ts'

/** What an `archive` event says in its `detail`. */
export interface ArchiveEvent {
  readonly first: number
  readonly last: number
  /** Name of the file. */
  readonly archive: string
  /** SHA-256 of the file, lower-case hex. */
  readonly sha256: string
  /** Where it was put. */
  readonly place: string
}

export function archiveDetail({ first, last, archive, sha256, place }: ArchiveEvent): string {
  return canonicalJson({ first, last, archive, sha256, place })
}

/** @returns undefined for what is not the detail of an archive. */
export function parseArchiveDetail(detail: string): ArchiveEvent | undefined {
  try {
    const { first, last, archive, sha256, place } = JSON.parse(detail) as Record<string, unknown>
    const good =
      Number.isSafeInteger(first) &&
      Number.isSafeInteger(last) &&
      [archive, sha256, place].every((text) => typeof text === 'string')
    return good ? ({ first, last, archive, sha256, place } as ArchiveEvent) : undefined
  } catch {
    return undefined
  }
}

/** Last position that the newest archive has; 0 when there is none, or it does not say. */
export function archivedUpTo(detail: unknown): number {
  return typeof detail === 'string' ? (parseArchiveDetail(detail)?.last ?? 0) : 0
}
