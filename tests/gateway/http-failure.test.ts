import { errors } from 'undici'
import { describe, expect, it } from 'vitest'
import { httpFailure } from '../../gateway/outgoing/http-request.ts'

const coded = (code: string, message = ''): Error => Object.assign(new Error(message), { code })
const unsecured = 'Client network socket disconnected before secure TLS connection was established'

describe('a failure of an HTTP call', () => {
  it.each<[string, Error, string | undefined]>([
    ['no connection in time', new errors.ConnectTimeoutError(), 'unreachable'],
    ['nobody listens', coded('ECONNREFUSED'), 'unreachable'],
    ['no such host', coded('ENOTFOUND'), 'unreachable'],
    ['no route', coded('EHOSTUNREACH'), 'unreachable'],
    ['the handshake fails', coded('ERR_SSL_WRONG_VERSION_NUMBER'), 'unreachable'],
    ['the handshake is cut', coded('ECONNRESET', unsecured), 'unreachable'],
    ['no head in time', new errors.HeadersTimeoutError(), 'timeout'],
    ['no body in time', new errors.BodyTimeoutError(), 'timeout'],
    ['bytes that are no HTTP', new errors.HTTPParserError(''), 'not-http'],
    ['too many headers', new errors.HeadersOverflowError(), 'not-http'],
    ['the socket closes', new errors.SocketError(), 'broke-off'],
    ['the connection is reset', coded('ECONNRESET'), 'broke-off'],
    ['the pipe breaks', coded('EPIPE'), 'broke-off'],
    ['a bug', new TypeError('a bug'), undefined],
    ['an argument that is none', coded('ERR_INVALID_ARG_TYPE'), undefined],
    ['a limit of our own', coded('UND_ERR_REQ_CONTENT_LENGTH_MISMATCH'), undefined],
  ])('%s', (_name, error, failure) => {
    expect(httpFailure(error)).toBe(failure)
  })
})
