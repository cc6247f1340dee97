/** An authority's enrolment port for tests: RFC 7030 with what a test wants it to answer. */
import { createServer, type Server } from 'node:https'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TLSSocket } from 'node:tls'
import { parseCertificate, type Certificate } from '../../pki/certificate.ts'
import { parseCsr } from '../../pki/csr.ts'
import { subjectOf } from '../../pki/identity.ts'
import { generateKey } from '../../pki/keys.ts'
import { createCertsOnly } from '../../pki/pkcs7.ts'
import { listen } from '../../runtime/lifecycle.ts'
import { createTestAuthority, type TestAuthority } from '../pki/support.ts'

export interface EstCall {
  readonly path: string
  readonly authorization: string | undefined
  readonly shown: Certificate | undefined
  readonly csr: Buffer
}
export interface EstServer extends AsyncDisposable {
  readonly url: string
  readonly authority: TestAuthority
  readonly calls: EstCall[]
  /** How long what it issues lives. */
  lifetimeMs: number
  /** Says otherwise than to issue: true when it has answered. */
  instead: ((call: EstCall, response: ServerResponse) => boolean) | undefined
}

export async function startEstServer(
  authority: TestAuthority | undefined,
  clock: () => Date = () => new Date(),
): Promise<EstServer> {
  const own = authority ?? (await createTestAuthority())
  const key = await generateKey('P-256')
  const tls = await own.issue({
    profile: 'server',
    publicKey: key.publicKey,
    subjectAltNames: ['127.0.0.1'],
    at: new Date(),
  })
  const server: Server = createServer(
    {
      cert: tls.pem + own.issuing.certificate.pem,
      key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }),
      requestCert: true,
      rejectUnauthorized: false,
    },
    (request, response) => void answer(request, response).catch(() => response.destroy()),
  )
  const listening = await listen(server, 0)
  const state: EstServer = {
    url: `https://127.0.0.1:${listening.port}`,
    authority: own,
    calls: [],
    lifetimeMs: 3_600_000,
    instead: undefined,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await listening[Symbol.asyncDispose]()
    },
  }
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const shown = (request.socket as TLSSocket).getPeerX509Certificate()?.raw
    const call: EstCall = {
      path: request.url ?? '',
      authorization: request.headers.authorization,
      shown: shown && parseCertificate(shown),
      csr: Buffer.from(Buffer.concat(chunks).toString('latin1'), 'base64'),
    }
    state.calls.push(call)
    if (state.instead?.(call, response)) return
    const cas = [own.root.certificate, own.issuing.certificate]
    const certificates = call.path.endsWith('/cacerts') ? cas : [await issue(call.csr)]
    response.setHeader('content-type', 'application/pkcs7-mime; smime-type=certs-only')
    response.end(`${createCertsOnly(certificates).toString('base64')}\r\n`)
  }
  const issue = (der: Buffer): Promise<Certificate> => {
    const { publicKey, identity, subjectAltNames } = parseCsr(der)
    return own.issue({
      profile: identity?.gateway === undefined ? 'signing' : 'authentication',
      publicKey,
      subject: subjectOf(identity!),
      subjectAltNames,
      at: clock(),
      lifetimeMs: state.lifetimeMs,
    })
  }
  return state
}
