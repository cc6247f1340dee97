/**
 * The baseline: one half of two plain proxies with mutual TLS between them, and nothing signed, verified or
 * recorded. `proxy.ts client PORT NEXT KEY CERTIFICATE ROOT`, or `provider` for the other half; the last three are PEM files.
 */
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { Pool } from 'undici'

const [side, port, next, key, certificate, root] = process.argv.slice(2)
const tls = {
  key: readFileSync(key!),
  cert: readFileSync(certificate!),
  ca: readFileSync(root!),
}
const pool = new Pool(next!, {
  connections: 64,
  ...(side === 'client' ? { connect: tls } : {}),
})

const listener: RequestListener = (request, response) => {
  const { connection: _, host: _host, 'transfer-encoding': _coding, ...headers } = request.headers
  pool
    .stream(
      {
        path: request.url ?? '/',
        method: request.method as 'POST',
        headers,
        body: request,
        opaque: response,
      },
      ({ statusCode, headers: answered, opaque }) => {
        const { connection: _hop, 'keep-alive': _alive, ...kept } = answered
        opaque.writeHead(statusCode, kept)
        return opaque
      },
    )
    .catch(() => response.destroy())
}
const server =
  side === 'client'
    ? createServer(listener)
    : createTlsServer(
        { ...tls, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' },
        listener,
      )
server.keepAliveTimeout = 60_000
server.listen(Number(port), '127.0.0.1', () => console.log('{"msg":"proxy ready"}'))
process.on('SIGTERM', () => process.exit(0))
