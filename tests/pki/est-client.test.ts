import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createCsr } from '../../pki/csr.ts'
import { createEstClient, isAwaited, type EstClient } from '../../pki/est-client.ts'
import { generateKey } from '../../pki/keys.ts'
import { createCertsOnly } from '../../pki/pkcs7.ts'
import { createTestAuthority, GATEWAY } from './support.ts'
import { startEstServer, type EstServer } from '../support/est-server.ts'

let server: EstServer
let client: EstClient
let csr: Buffer
beforeEach(async () => {
  server = await startEstServer(await createTestAuthority())
  const rootCertificates = [server.authority.root.certificate.pem]
  client = createEstClient({ url: server.url, rootCertificates })
  const key = await generateKey('P-256')
  csr = (await createCsr({ identity: GATEWAY, key, subjectAltNames: ['gw.example'] })).der
})
afterEach(async () => {
  await client[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

const refuseWith = (status: number, body: string, headers: Record<string, string> = {}): void => {
  server.instead = ({ path }, response) => {
    if (path.endsWith('/cacerts')) return false
    response.writeHead(status, headers).end(body)
    return true
  }
}
const refused = (code: string, message = /./) =>
  expect(client.enroll(csr, 'code')).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message) as unknown,
  })

describe('an EST client', () => {
  it('enrols with a code by HTTP Basic, and completes the chain from cacerts', async () => {
    const issued = await client.enroll(csr, 'öpen:sesame')
    if (isAwaited(issued)) return expect.unreachable()
    const { root, issuing } = server.authority
    expect(issued.map(({ subject }) => subject)).toEqual([
      issued[0]!.subject,
      issuing.certificate.subject,
    ])
    expect(issued).not.toContain(root.certificate)
    const [call] = server.calls
    expect(call).toMatchObject({ path: '/.well-known/est/simpleenroll', csr })
    const basic = Buffer.from(call!.authorization!.replace('Basic ', ''), 'base64')
    expect(basic.toString('utf8')).toBe('spean:öpen:sesame')
  })

  it('renews as whom its TLS certificate names', async () => {
    const key = await generateKey('P-256')
    const certificate = await server.authority.issue({
      profile: 'authentication',
      publicKey: key.publicKey,
      at: new Date(),
    })
    await using own = createEstClient({
      url: server.url,
      rootCertificates: [server.authority.root.certificate.pem],
      tls: {
        cert: certificate.pem,
        key: key.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
      },
    })
    expect(isAwaited(await own.reenroll(csr))).toBe(false)
    const [call] = server.calls
    expect(call).toMatchObject({
      path: '/.well-known/est/simplereenroll',
      authorization: undefined,
    })
    expect(call!.shown!.thumbprint).toBe(certificate.thumbprint)
  })

  it('tells the time of the authority', async () => {
    const { certificates, date } = await client.cacerts()
    expect(certificates).toHaveLength(2)
    expect(Math.abs(Date.now() - date!.getTime())).toBeLessThan(5000)
  })

  it.each([
    ['7', 7000],
    ['0', 1000],
    ['999999', 3_600_000],
    ['soon', 15_000],
  ])('comes again when it is told to: Retry-After %s', async (value, retryAfterMs) => {
    refuseWith(202, '', { 'retry-after': value })
    expect(await client.enroll(csr, 'code')).toEqual({ retryAfterMs })
  })

  it('hands on the authority’s own code', async () => {
    const problem = { code: 'enrolment.code-used', detail: 'it was used on Monday' }
    refuseWith(403, JSON.stringify(problem), { 'content-type': 'application/problem+json' })
    await refused('enrolment.code-used', /Monday/)
  })

  it.each([
    ['a page', 500, '<html>'],
    ['a problem with another code', 400, '{"code":"x.y"}'],
    ['JSON that is none of ours', 400, '[]'],
    ['nothing', 200, ''],
    ['no PKCS#7', 200, 'AAAA'],
  ])('names the address when the answer is %s', async (_name, status, body) => {
    refuseWith(status, body)
    await refused('enrolment.unavailable', new RegExp(server.url))
  })

  it('takes no certificate for another key', async () => {
    const other = await client.enroll(csr, 'code')
    if (isAwaited(other)) return expect.unreachable()
    const key = await generateKey('P-256')
    csr = (await createCsr({ identity: GATEWAY, key })).der
    server.instead = ({ path }, response) => {
      if (path.endsWith('/cacerts')) return false
      response.end(createCertsOnly([other[0]!]).toString('base64'))
      return true
    }
    await refused('enrolment.unavailable', /another key/)
  })

  it('names the address that cannot be reached, or that shows a foreign certificate', async () => {
    const other = await createTestAuthority()
    await using foreign = createEstClient({
      url: server.url,
      rootCertificates: [other.root.certificate.pem],
    })
    const unavailable = { code: 'enrolment.unavailable' }
    await expect(foreign.enroll(csr, 'code')).rejects.toMatchObject(unavailable)
    expect(server.calls).toEqual([])
    await server[Symbol.asyncDispose]()
    await refused('enrolment.unavailable', new RegExp(server.url))
  })
})
