import { unambiguousSegments } from './target.ts'
import type { Endpoint } from './snapshot.ts'

/** Covers every path of a service, whatever its bytes. */
export const ANY_PATH = '/**'

/** Whether one of `endpoints` covers every path for `method`: then no reading of a path matters. */
export function coversAnyPath(endpoints: readonly Endpoint[], method: string): boolean {
  return endpoints.some((e) => e.path === ANY_PATH && (e.method === '*' || e.method === method))
}

/**
 * Whether one of `endpoints` covers a call. Patterns are compared with decoded segments: `*` is any
 * one segment, `**` at the end any number of them (protocol/README.md §3.5).
 *
 * @throws ExchangeError `access.path-ambiguous` when only endpoints with a limited path could cover
 *   the call, and the path could mean another one at the service; `request.path-invalid`.
 */
export function covers(
  endpoints: readonly Endpoint[],
  method: string,
  servicePath: string,
): boolean {
  if (coversAnyPath(endpoints, method)) return true
  const candidates = endpoints.filter((e) => e.method === '*' || e.method === method)
  if (candidates.length === 0) return false
  const segments = unambiguousSegments(servicePath)
  return candidates.some((endpoint) => matches(endpoint.path, segments))
}

function matches(pattern: string, segments: readonly string[]): boolean {
  const parts = pattern === '/' || pattern === '' ? [] : pattern.slice(1).split('/')
  const open = parts.at(-1) === '**'
  const fixed = open ? parts.slice(0, -1) : parts
  if (open ? segments.length < fixed.length : segments.length !== fixed.length) return false
  return fixed.every((part, i) => (part === '*' ? segments[i] !== '' : part === segments[i]))
}
