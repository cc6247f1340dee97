import { ExchangeError } from './errors.ts'
import type { HeaderBlock } from './header-block.ts'
import type { SnapshotService } from './snapshot.ts'

type Life = Pick<SnapshotService, 'state' | 'deprecatedAt' | 'sunset' | 'successor'>

/**
 * Refuses a service that is retired, or whose date has come while the catalogue could not say so
 * (protocol/README.md §7.8).
 *
 * @param id of the service, decoded form.
 * @throws ExchangeError `service.retired`.
 */
export function verifyNotRetired(id: string, service: Life | undefined, at: Date): void {
  const { state, sunset, successor } = service ?? {}
  const isOver = sunset !== undefined && Date.parse(sunset) <= at.getTime()
  if (state !== 'retired' && !(state === 'deprecated' && isOver)) return
  const since = sunset === undefined ? '' : ` on ${sunset}`
  const instead = successor === undefined ? '' : `; use ${successor}`
  throw new ExchangeError('service.retired', `${id} was retired${since}${instead}`)
}

/** What answers of a deprecated service say of its end: RFC 9745, RFC 8594, RFC 5829 §3.4; else nothing. */
export function lifeHeaders({ state, deprecatedAt, sunset, successor }: Life): HeaderBlock {
  if (state !== 'deprecated') return []
  const since = Math.floor(Date.parse(deprecatedAt ?? '') / 1000)
  const until = new Date(sunset ?? '')
  return [
    ...(Number.isNaN(since) ? [] : [['deprecation', `@${since}`] as const]),
    ...(Number.isNaN(until.getTime()) ? [] : [['sunset', until.toUTCString()] as const]),
    ...(successor === undefined ? [] : [['link', successorLink(successor)] as const]),
  ]
}

function successorLink(successor: string): string {
  const path = successor.split('/').map(encodeURIComponent).join('/')
  return `</r1/${path}>; rel="successor-version"`
}
