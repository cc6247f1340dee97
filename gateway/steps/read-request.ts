import { ExchangeError } from '../../protocol/errors.ts'
import { headerBlock, withHeaders } from '../../protocol/header-block.ts'
import { GATEWAY_SET, readCallHeaders, userTokenOf } from '../../protocol/headers.ts'
import { encodeId } from '../../protocol/identifiers.ts'
import { parseMethod } from '../../protocol/methods.ts'
import { parseTarget } from '../../protocol/target.ts'
import type { Asked, Read } from '../exchange-state.ts'

/**
 * Reads a call of an information system by the X-Road Message Protocol for REST, r1
 * (protocol/README.md §3), and gives it the headers that it goes on with.
 *
 * @throws ExchangeError one of `request.*`, `access.token-invalid`.
 */
export function readRequest(asked: Asked): Read {
  const method = parseMethod(asked.method)
  const hosts = asked.rawHeaders.filter((text, i) => i % 2 === 0 && /^host$/i.test(text))
  if (hosts.length !== 1) {
    // RFC 9112 §3.2
    throw new ExchangeError('request.malformed', `the request has ${hosts.length} Host headers`)
  }
  const target = parseTarget(asked.rawTarget)
  const block = headerBlock(asked.rawHeaders, GATEWAY_SET)
  const call = readCallHeaders(block)
  const userToken = userTokenOf(asked.rawHeaders)
  const messageId = call.messageId ?? `${call.client.instance}-${asked.exchangeId}`
  const headers = withHeaders(block, [
    ['x-road-client', encodeId(call.client)],
    ['x-road-id', Buffer.from(messageId, 'utf8').toString('latin1')],
    ['x-road-request-id', asked.exchangeId],
  ])
  const token = userToken === undefined ? {} : { userToken }
  return { ...asked, method, target, call, headers, messageId, ...token }
}
