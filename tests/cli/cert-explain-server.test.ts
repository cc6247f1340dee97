import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import {
  createServer as createTcpServer,
  type AddressInfo,
  type Server,
  type Socket,
} from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer, type TlsOptions } from 'node:tls'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { approvedByFile, type Approved } from '../../cli/cert-explain/approved.ts'
import { explainServer } from '../../cli/cert-explain/explain.ts'
import type { Explanation } from '../../cli/cert-explain/explanation.ts'
import type { ServerTarget } from '../../cli/cert-explain/tls-server.ts'
import { parseCertificate } from '../../pki/certificate.ts'
import { freePort } from '../support/http.ts'
import {
  startOpensslAuthority,
  type OpensslAuthority,
  type OpensslCertificate,
} from '../support/openssl-authority.ts'

const run = promisify(execFile)
const dir = mkdtempSync(join(tmpdir(), 'explain-server-'))
const resources = new AsyncDisposableStack()
let authority: OpensslAuthority
let server: OpensslCertificate
let client: OpensslCertificate
let approved: Approved
let staple: Buffer
beforeAll(async () => {
  authority = resources.use(await startOpensslAuthority(dir))
  const subject = '/O=KH\\/GW1\\/GOV/CN=MOI'
  server = await authority.issue('server', subject, 'authentication', 'P-384')
  client = await authority.issue('client', subject, 'information-system', 'RSA-2048')
  approved = approvedByFile(authority.certificates.join(''), 'ca.pem')
  await run('openssl', [
    ...['ocsp', '-url', authority.ocspUrl, '-issuer', join(dir, 'intermediate.pem')],
    ...['-cert', join(dir, 'server.pem'), '-noverify', '-respout', join(dir, 'staple.der')],
  ])
  staple = readFileSync(join(dir, 'staple.der'))
})
afterAll(async () => {
  await resources.disposeAsync()
  rmSync(dir, { recursive: true, force: true })
})

const explain = (port: number, target: Partial<ServerTarget> = {}): Promise<Explanation> =>
  explainServer({ host: '127.0.0.1', port, ...target }, { approved, at: new Date() })
async function opened(listener: Server): Promise<number> {
  const sockets = new Set<Socket>()
  listener.on('connection', (socket) => sockets.add(socket))
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  resources.defer(() => {
    for (const socket of sockets) socket.destroy()
    listener.close()
  })
  return (listener.address() as AddressInfo).port
}
const tls = (options: TlsOptions): Promise<number> => {
  const listener = createServer(options, (socket) => socket.on('error', () => socket.destroy()))
  listener.on('tlsClientError', () => {})
  return opened(listener)
}
const findings = (answer: Explanation): string => answer.findings.map(({ what }) => what).join('\n')

describe('a TLS server', () => {
  it('is shown with what it sends, its version, chain and state', async () => {
    const port = await tls({ cert: server.chain, key: server.key })
    const answer = await explain(port)
    expect([answer.good, answer.findings]).toEqual([true, []])
    expect(answer.what).toMatch(/authentication between gateways/)
    expect(answer.facts).toMatchObject({
      tls: expect.stringMatching(/^TLSv1\.3/) as string,
      sent: [server, { pem: authority.certificates[1] }].map(
        ({ pem }) => parseCertificate(pem).subject,
      ),
      stapled: 'no OCSP answer',
    })
    expect(answer.chain?.map(({ from }) => from)).toEqual([
      'sent by the server',
      expect.stringMatching(/approved|sent/),
      expect.stringMatching(/approved/),
    ])
    expect(answer.revocation).toMatchObject([
      { by: 'OCSP', status: 'good' },
      { by: 'CRL', status: 'good' },
    ])
  })

  it('that staples an OCSP answer has it read, and a spoilt one is told', async () => {
    const spoilt = Buffer.from(staple)
    spoilt[spoilt.length - 400]! ^= 1
    for (const [answered, status] of [
      [staple, 'good'],
      [spoilt, 'unknown'],
    ] as const) {
      const listener = createServer({ cert: server.chain, key: server.key })
      listener.on('OCSPRequest', (_certificate, _issuer, reply) => reply(null, answered))
      const answer = await explain(await opened(listener))
      expect(answer.facts.stapled).toBe('an OCSP answer')
      expect(answer.revocation?.[0]).toMatchObject({ by: 'stapled OCSP', status })
    }
  })

  it('is asked for a name, and told when its certificate is not for it', async () => {
    const asked: string[] = []
    const port = await tls({
      cert: server.chain,
      key: server.key,
      SNICallback: (name, done) => {
        asked.push(name)
        done(null)
      },
    })
    expect((await explain(port, { serverName: 'localhost' })).findings).toEqual([])
    const other = await explain(port, { serverName: 'gateway.example' })
    expect(findings(other)).toMatch(/is not for the name gateway\.example/)
    expect(asked).toEqual(['localhost', 'gateway.example'])
  })

  it('that leaves out its intermediate is told so, unless the catalogue has it', async () => {
    const port = await tls({ cert: server.pem, key: server.key })
    expect((await explain(port)).good).toBe(true)
    const root = approvedByFile(authority.certificates[0], 'root.pem')
    const answer = await explainServer(
      { host: '127.0.0.1', port },
      { approved: root, at: new Date() },
    )
    expect(findings(answer)).toMatch(/breaks off: CN=National Issuing/)
  })

  it('that asks for a client certificate is shown one', async () => {
    const ca = [...authority.certificates]
    const port = await tls({
      cert: server.chain,
      key: server.key,
      ca,
      requestCert: true,
      maxVersion: 'TLSv1.2',
    })
    expect((await explain(port, { cert: client.chain, key: client.key })).good).toBe(true)
    const answer = await explain(port)
    expect(answer.facts.subject).toBe(parseCertificate(server.pem).subject)
  })

  it('that has no certificate is told so', async () => {
    const port = await freePort()
    const options = ['-nocert', '-tls1_2', '-cipher', 'aNULL:@SECLEVEL=0', '-accept', String(port)]
    const child = spawn('openssl', ['s_server', ...options], {
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    while (!said.includes('ACCEPT')) await new Promise((done) => setTimeout(done, 10))
    const answer = await explain(port)
    child.kill('SIGKILL')
    expect([answer.good, findings(answer)]).toEqual([
      false,
      expect.stringMatching(/shows no certificate/),
    ])
  })
})

describe('what is no TLS server', () => {
  it('is told as what it is: nobody there', async () => {
    const answer = await explain(await freePort())
    expect(findings(answer)).toMatch(/cannot be reached \(ECONNREFUSED/)
  })

  it('is told as what it is: plain HTTP', async () => {
    const answer = await explain(await opened(createHttpServer()))
    expect([answer.good, findings(answer)]).toEqual([
      false,
      expect.stringMatching(/does not speak TLS/),
    ])
  })

  it('is told as what it is: somebody who closes, and somebody who says nothing', async () => {
    const closing = await explain(await opened(createTcpServer((socket) => socket.end())))
    expect(findings(closing)).toMatch(/gave no certificate|closed/)
    const silent = await explain(
      await opened(createTcpServer((socket) => socket.on('error', () => {}))),
    )
    expect(findings(silent)).toMatch(/did not answer a TLS handshake within 5 seconds/)
  })

  it('is told as what it is: a name that does not exist', async () => {
    const answer = await explain(443, { host: 'gateway.invalid' })
    expect(findings(answer)).toMatch(/cannot be reached/)
  })
})
