import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { join } from 'node:path'
import type { AddressInfo } from 'node:net'
import { temporaryFolder, writeServerCertificate, type TestAuthority } from './support.ts'

export interface Receiver extends AsyncDisposable {
  readonly port: number
  /** Bodies, in the order in which they came. */
  readonly got: string[]
  readonly types: (string | undefined)[]
  /** What it answers; 204 at first. */
  status: number
}

/** A real HTTPS server with a certificate of the instance. */
export async function startReceiver(authority: TestAuthority, port = 0): Promise<Receiver> {
  const folder = temporaryFolder()
  const [tlsCertificateFile, tlsKeyFile] = [join(folder, 'c.pem'), join(folder, 'k.pem')]
  await writeServerCertificate(authority, { tlsCertificateFile, tlsKeyFile })
  const receiver = { got: [] as string[], types: [] as (string | undefined)[], status: 204 }
  const tls = { cert: readFileSync(tlsCertificateFile), key: readFileSync(tlsKeyFile) }
  const server = createServer(tls, (request, response) => {
    void request.toArray().then((parts: Buffer[]) => {
      receiver.got.push(Buffer.concat(parts).toString())
      receiver.types.push(request.headers['content-type'])
      response.writeHead(receiver.status, { location: '/elsewhere' }).end()
    })
  })
  await new Promise<void>((done) => server.listen(port, '127.0.0.1', done))
  return Object.assign(receiver, {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  })
}
