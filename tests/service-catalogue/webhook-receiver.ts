import { execFileSync } from 'node:child_process'
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
  /** What it answers; 204 at first, 0 for nothing ever. */
  status: number
}

/** A real HTTPS server with a certificate of the instance. */
export async function startReceiver(authority: TestAuthority): Promise<Receiver> {
  const folder = temporaryFolder()
  const [tlsCertificateFile, tlsKeyFile] = [join(folder, 'c.pem'), join(folder, 'k.pem')]
  await writeServerCertificate(authority, { tlsCertificateFile, tlsKeyFile })
  return receiveWith({ cert: readFileSync(tlsCertificateFile), key: readFileSync(tlsKeyFile) })
}

export async function receiveWith(tls: {
  readonly cert: string | Buffer
  readonly key: string | Buffer
}): Promise<Receiver> {
  const receiver = { got: [] as string[], types: [] as (string | undefined)[], status: 204 }
  const server = createServer(tls, (request, response) => {
    void request.toArray().then((parts: Buffer[]) => {
      receiver.got.push(Buffer.concat(parts).toString())
      receiver.types.push(request.headers['content-type'])
      if (receiver.status === 0) return
      response.writeHead(receiver.status, { location: '/elsewhere' }).end()
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return Object.assign(receiver, {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  })
}

const VERIFY = `
import sys, json, base64
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives import hashes
jwt, jwk = sys.argv[1], json.loads(sys.argv[2])
b = lambda s: base64.urlsafe_b64decode(s + '=' * (-len(s) % 4))
n = lambda raw: int.from_bytes(raw, 'big')
head, body, sig = jwt.split('.')
key = ec.EllipticCurvePublicNumbers(n(b(jwk['x'])), n(b(jwk['y'])), ec.SECP256R1()).public_key()
raw = b(sig)
key.verify(utils.encode_dss_signature(n(raw[:32]), n(raw[32:])), (head + '.' + body).encode(), ec.ECDSA(hashes.SHA256()))
print(b(head).decode(), b(body).decode(), sep='\\n')
`
/** Verifies with OpenSSL, through another library than the one that signed. @returns header and claims, as JSON. */
export const verifiedByPython = (jwt: string, jwk: object): string[] =>
  execFileSync('python3', ['-c', VERIFY, jwt, JSON.stringify(jwk)], { stdio: 'pipe' })
    .toString()
    .trim()
    .split('\n')
