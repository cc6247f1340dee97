import { ExchangeError } from './errors.ts'
import { parseServiceId, type ServiceId } from './identifiers.ts'
import { LIMITS } from './limits.ts'

/** A call's request target, taken apart but not altered: `raw` and `servicePath` are the bytes sent. */
export interface Target {
  /** Path and query as they stand in the request line. */
  readonly raw: string
  readonly service: ServiceId
  /** What follows the service code: empty, or beginning with `/`; percent-encoding untouched. */
  readonly servicePath: string
  /** From `?` on, with it; empty without a query. */
  readonly query: string
}

/**
 * Takes apart `/r1/INSTANCE/CLASS/MEMBER/SUBSYSTEM/SERVICE[/path][?query]`.
 *
 * Refuses every path that reaches out of the service's own, whatever the service makes of it: dot
 * segments in any encoding (RFC 3986 §5.2.4), also behind an encoded slash or before `;`.
 *
 * @param raw the request target, set by the caller; nothing of it is checked yet.
 * @throws ExchangeError `request.target-too-long`, `request.version-unsupported`,
 *   `request.route-unknown`, `request.identifier-invalid`, `request.path-invalid`.
 * @see protocol/README.md §3.1 and §3.4.
 */
export function parseTarget(raw: string): Target {
  if (raw.length > LIMITS.targetBytes) {
    throw new ExchangeError(
      'request.target-too-long',
      `the URL has ${raw.length} bytes, the limit is ${LIMITS.targetBytes}`,
    )
  }
  // RFC 3986 §2: anything else is percent-encoded; a fragment never leaves a client.
  if (!/^\/[\x21-\x7e]*$/.test(raw) || raw.includes('#')) {
    throw invalid('the path has characters that must be percent-encoded')
  }
  const question = raw.indexOf('?')
  const path = question < 0 ? raw : raw.slice(0, question)
  const [, version, ...segments] = path.split('/')
  if (!/^r\d+$/.test(version ?? '')) {
    throw new ExchangeError('request.route-unknown', 'the path does not begin with /r1/')
  }
  if (version !== 'r1') {
    throw new ExchangeError('request.version-unsupported', `version ${version} is not spoken here`)
  }
  const service = parseServiceId(segments.slice(0, 5))
  const rest = segments.slice(5)
  for (const segment of rest) checkSegment(segment)
  return {
    raw,
    service,
    servicePath: rest.length === 0 ? '' : `/${rest.join('/')}`,
    query: question < 0 ? '' : raw.slice(question),
  }
}

function checkSegment(segment: string): void {
  const decoded = decodeSegment(segment)
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\x00-\x1f\x7f]/.test(decoded)) throw invalid('the path holds a control character')
  // A service that decodes %2F or %5C before it resolves dots would see these parts as segments, and
  // some (servlet containers) cut a segment at `;` first.
  const climbs = decoded.split(/[/\\]/).some((part) => /^\.{1,2}(;|$)/.test(part))
  if (climbs) throw invalid('the path holds a dot segment')
}

/**
 * The decoded segments of a service path, if every reader must understand it in one way.
 *
 * @throws ExchangeError `access.path-ambiguous` when a service could split or decode it otherwise:
 *   encoded slashes and backslashes, empty segments, double encoding (protocol/README.md §3.5).
 */
export function unambiguousSegments(servicePath: string): string[] {
  if (servicePath === '' || servicePath === '/') return []
  const segments = servicePath.slice(1).split('/')
  return segments.map((segment, i) => {
    const decoded = decodeSegment(segment)
    // Some services cut a segment at `;`: what is left of it may be empty too.
    const empty = decoded.startsWith(';') || (decoded === '' && i < segments.length - 1)
    // Judged after decoding: in the bytes sent, %25%32e would hide its %2e.
    if (empty || /[/\\]|%[0-9a-f]{2}/i.test(decoded)) {
      throw new ExchangeError(
        'access.path-ambiguous',
        'the path holds an encoded slash, an empty segment or double encoding',
      )
    }
    return decoded
  })
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw invalid('the path is not percent-encoded UTF-8')
  }
}

function invalid(detail: string): ExchangeError {
  return new ExchangeError('request.path-invalid', detail)
}
