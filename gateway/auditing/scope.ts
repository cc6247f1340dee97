import type { StoredRecord } from '../../exchange-log/record.ts'
import type { LogQuery } from '../../exchange-log/store.ts'
import type { Principal } from '../../runtime/admin-api.ts'

/** What limits a search to what somebody may see. */
export function withinScope({ scope }: Principal): Pick<LogQuery, 'within'> {
  return scope ? { within: scope } : {}
}

/** Whether somebody may see an exchange: its client or its service is in the scope, or below it. */
export function isInScope(
  { scope }: Principal,
  { client, service }: { readonly client?: string; readonly service?: string },
): boolean {
  if (!scope) return true
  const isBelow = (id: string | undefined): boolean =>
    id !== undefined && scope.some((top) => id === top || id.startsWith(`${top}/`))
  return isBelow(client) || isBelow(service)
}

/**
 * Of the records with one exchange id those that somebody may see: the runs in scope, which the first record
 * of each decides, and what was done to their content. Who asked for them is shown to those without limits only.
 */
export function visibleRecords(
  principal: Principal,
  records: readonly StoredRecord[],
): StoredRecord[] {
  if (!principal.scope) return [...records]
  const runs = new Set(
    records
      .filter((r) => r.side && r.begunAt === undefined && isInScope(principal, r))
      .map(({ position }) => position),
  )
  return records.filter(({ side, kind, position, begunAt }) =>
    side ? runs.has(begunAt ?? position) : runs.size > 0 && kind !== 'query' && kind !== 'archive',
  )
}
