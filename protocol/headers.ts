import { ExchangeError } from './errors.ts'
import {
  parseClientId,
  parseGatewayId,
  parseRepresentedParty,
  type ClientId,
  type GatewayId,
} from './identifiers.ts'
import { LIMITS } from './limits.ts'
import { FINDINGS_HEADER, PURPOSE_HEADER, singleValue, type HeaderBlock } from './header-block.ts'

/** Carries the signed manifest from gateway to gateway (protocol/README.md §6.2). */
export const MANIFEST_HEADER = 'spean-manifest'

/** Signed token of the user; it travels beside the header block, as the manifest does (§13.5). */
export const USER_TOKEN_HEADER = 'spean-user-token'

/** Set by the gateways alone; a value from an information system is dropped (PR-REST §4.3). */
export const GATEWAY_SET = new Set(['x-road-request-id', 'x-road-request-hash', FINDINGS_HEADER])

/** A service's answer cannot speak for its gateway. */
export const RESPONSE_SET = new Set([
  'x-road-id',
  'x-road-client',
  'x-road-service',
  'x-road-request-id',
  'x-road-request-hash',
  'x-road-error',
  FINDINGS_HEADER,
])

/** What an information system says about its call (PR-REST §4.3). */
export interface CallHeaders {
  readonly client: ClientId
  readonly messageId: string | undefined
  readonly userId: string | undefined
  readonly issue: string | undefined
  readonly representedParty: string | undefined
  readonly securityServer: GatewayId | undefined
  readonly purpose: string | undefined
}

/**
 * Reads the protocol headers of a call.
 *
 * @throws ExchangeError `request.client-missing`, `request.header-repeated`,
 *   `request.identifier-invalid`, `request.malformed` (all 400).
 */
export function readCallHeaders(block: HeaderBlock): CallHeaders {
  const client = singleValue(block, 'x-road-client')
  if (client === undefined || client === '') {
    throw new ExchangeError('request.client-missing', 'the call does not say who the client is')
  }
  const party = singleValue(block, 'x-road-represented-party')
  const server = singleValue(block, 'x-road-security-server')
  return {
    client: parseClientId(client),
    messageId: text(block, 'x-road-id'),
    userId: text(block, 'x-road-userid'),
    issue: text(block, 'x-road-issue'),
    representedParty: party === undefined ? undefined : parseRepresentedParty(party),
    securityServer: server === undefined ? undefined : parseGatewayId(server),
    purpose: text(block, PURPOSE_HEADER),
  }
}

/** Header values are bytes; these are read as UTF-8 (RFC 9110 §5.5 leaves it to the field). */
function text(block: HeaderBlock, name: string): string | undefined {
  const value = singleValue(block, name)
  if (value === undefined || value === '') return undefined
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    return decoder.decode(Buffer.from(value, 'latin1'))
  } catch {
    throw new ExchangeError('request.malformed', `${name} is not UTF-8`)
  }
}

/**
 * The token of the user, which is in no header block: it is neither recorded nor given to the service.
 *
 * @param rawHeaders names and values in turn, set by the peer.
 * @throws ExchangeError `request.header-repeated`; `access.token-invalid` when it is too long.
 */
export function userTokenOf(rawHeaders: readonly string[]): string | undefined {
  const values = rawHeaders.filter(
    (_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase() === USER_TOKEN_HEADER,
  )
  if (values.length > 1) {
    const detail = `${USER_TOKEN_HEADER} stands ${values.length} times`
    throw new ExchangeError('request.header-repeated', detail)
  }
  const [token] = values
  if (token === undefined || token === '') return undefined
  if (token.length <= LIMITS.userTokenBytes) return token
  const detail = `the token of the user is refused: it has ${token.length} bytes, the limit is ${LIMITS.userTokenBytes}`
  throw new ExchangeError('access.token-invalid', detail)
}
