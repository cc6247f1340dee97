import { createHash } from 'node:crypto'
import { canonicalJson } from '../protocol/canonical-json.ts'

/** One administrative act, and how it ended. */
export interface AuditEntry {
  readonly position: number
  /** Of the entry before it; empty for the first. */
  readonly previous: string
  readonly at: string
  /** Name of the credential; absent: nobody was recognised. */
  readonly who?: string
  readonly role?: string
  /** Which one, never the secret of it. */
  readonly credential?: string
  readonly person?: string
  /** Address that it came from. */
  readonly from: string
  readonly method: string
  /** Without the query. */
  readonly path: string
  /** `ok`, or the code of the refusal. */
  readonly result: string
  readonly status: number
  /** Refusals of strangers since the entry before that were too many to be listed. */
  readonly omitted?: number
}
export interface AuditRow {
  readonly entry: AuditEntry
  /** SHA-256 of the entry's canonical JSON, base64url. */
  readonly hash: string
}
export interface AuditHead {
  readonly position: number
  readonly hash: string
}
export const EMPTY_HEAD: AuditHead = { position: 0, hash: '' }

export function auditHash(entry: AuditEntry): string {
  return createHash('sha256').update(canonicalJson(entry)).digest('base64url')
}

/**
 * Follows the chain from one entry to the next.
 *
 * @param head where the rows before ended.
 * @returns where these end, or what is wrong, naming the first position at fault.
 */
export function followChain(head: AuditHead, rows: readonly AuditRow[]): AuditHead | string {
  let last = head
  for (const { entry, hash } of rows) {
    const { position, previous } = entry
    if (position !== last.position + 1) {
      return `entry ${last.position + 1} is missing: after ${last.position} comes ${position}`
    }
    if (previous !== last.hash) {
      return `entry ${position} does not follow entry ${last.position}: one of them was replaced`
    }
    if (auditHash(entry) !== hash) return `entry ${position} was altered: its hash does not match`
    last = { position, hash }
  }
  return last
}
