/**
 * What strangers send to the public port of the authority: OCSP and time-stamp requests are answered by the words
 * of their protocols, and the journal has the code of each.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { encodeAsn } from '../../pki/asn1.ts'
import { openAuthority, type Authority } from '../../pki/authority/authority.ts'
import { startAuthority, type RunningAuthority } from '../../pki/authority/server.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { parseDer } from '../../pki/der.ts'
import { encode, integer, octetString, oid, sequence, tagged } from '../../pki/der-writer.ts'
import { certIdOf, nonceExtension } from '../../pki/ocsp-cert-id.ts'
import { createOcspRequest } from '../../pki/ocsp-request.ts'
import { createOcspError } from '../../pki/ocsp-response.ts'
import { OID } from '../../pki/oids.ts'
import { createTspRequest } from '../../pki/tsp-request.ts'
import { readStatusInfo } from '../../pki/tsp-status.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import { GATEWAY, openssl } from '../pki/support.ts'
import { requestFor } from '../pki/authority-support.ts'
import { authorityConfig } from '../support/authority.ts'
import { DER_FAULTS } from '../support/hostile-der.ts'
import { send, type Answer } from '../support/http.ts'

const { gateway: _, ...MEMBER } = GATEWAY
const ORDER = { kind: 'signing', identity: MEMBER } as const
/** A body over the limit of the port is refused before it is read: that is another test. */
const FAULTS = DER_FAULTS.filter(([what]) => !what.includes('megabytes'))

let folder: string
let shiftMs = 0
let running: RunningAuthority
let authority: Authority
let issuer: Certificate
let leaf: Certificate
/** Of an authority with the names of ours, and keys of its own. */
let foreign: { issuer: Certificate; leaf: Certificate }

const file = (name: string): string => join(folder, name)

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spean-hostile-'))
  const clock = (): Date => new Date(Date.now() + shiftMs)
  const config = authorityConfig({ stateDir: file('state') })
  running = await startAuthority(config, { logger: pino({ level: 'silent' }), clock })
  authority = running.authority
  issuer = authority.issuers.signing
  leaf = await authority.issue({ ...ORDER, csr: await requestFor(MEMBER) })
  await using namesake = await openAuthority({
    instance: 'KH-TEST',
    stateDir: file('namesake'),
    publicUrl: () => running.publicUrl,
    clock,
  })
  const other = await namesake.issue({ ...ORDER, csr: await requestFor(MEMBER) })
  foreign = { issuer: namesake.issuers.signing, leaf: other }
}, 30_000)
afterAll(async () => {
  await running[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const port = (): number => Number(new URL(running.publicUrl).port)

function post(path: string, type: string, body: Buffer): Promise<Answer> {
  const rawHeaders = ['content-type', type]
  return send({ port: port(), method: 'POST', path, rawHeaders, body })
}

/** The answer, and what the journal has of it since the call. */
async function judged(call: () => Promise<Answer>): Promise<{ answer: Answer; kept: string[] }> {
  const last = authority.journal.list(0, 100_000).at(-1)!.position
  const answer = await call()
  const entries = authority.journal.list(last, 1000).filter(({ action }) => action === 'refused')
  for (const entry of entries) expect(entry.remoteAddress).toContain('127.0.0.1')
  return { answer, kept: entries.map(({ subject, code }) => `${subject} ${code}`) }
}

describe('an OCSP request', () => {
  const ask = (body: Buffer) => () => post('/ocsp', 'application/ocsp-request', body)
  const good = (): Buffer => createOcspRequest(leaf, issuer)
  const expectRefused = async (
    body: Buffer,
    status: 'malformedRequest' | 'unauthorized',
    code: ErrorCode,
  ): Promise<void> => {
    const { answer, kept } = await judged(ask(body))
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toBe('application/ocsp-response')
    expect(answer.body).toEqual(createOcspError(status))
    expect(kept).toEqual([`ocsp ${code}`])
  }

  it.each(FAULTS)('%s is malformed: %s', async (_what, code, spoil) => {
    await expectRefused(spoil(good()), 'malformedRequest', code)
  })

  /** Requests of RFC 6960 §4.1.1, put together by hand. */
  const asking = (certIds: readonly Buffer[], extensions?: Buffer, version?: Buffer): Buffer =>
    sequence(
      sequence(
        ...(version === undefined ? [] : [tagged(0, version)]),
        sequence(...certIds.map((certId) => sequence(certId))),
        ...(extensions === undefined ? [] : [tagged(2, sequence(extensions))]),
      ),
    )
  const certId = (): Buffer => certIdOf(leaf, issuer).encoded
  const critical = (): Buffer =>
    sequence(oid('1.3.6.1.5.5.7.48.1.7'), encode(0x01, Buffer.of(0xff)), octetString(sequence()))
  const MALFORMED: [string, () => Buffer][] = [
    ['with a nonce of no bytes', () => asking([certId()], nonceOf(0))],
    ['with a nonce of 129 bytes', () => asking([certId()], nonceOf(129))],
    ['about nothing', () => asking([])],
    ['about 65 certificates', () => asking(Array.from({ length: 65 }, certId))],
    ['with a critical extension that nobody knows', () => asking([certId()], critical())],
    ['of version 2', () => asking([certId()], undefined, integer(1))],
    ['that is a revocation list', () => authority.revocationLists.newest()[0]!.der],
    ['that is a certificate', () => leaf.der],
  ]
  const nonceOf = (length: number): Buffer => encodeAsn(nonceExtension(Buffer.alloc(length, 7)))
  it.each(MALFORMED)('%s is malformed', async (_what, make) => {
    await expectRefused(make(), 'malformedRequest', 'encoding.malformed')
  })

  it('with a hash that is not known is malformed, as openssl makes it', async () => {
    writeFileSync(file('leaf.pem'), leaf.pem)
    writeFileSync(file('issuer.pem'), issuer.pem)
    const made = await openssl(
      ['ocsp', '-issuer', file('issuer.pem'), '-sha512', '-cert', file('leaf.pem')],
      ['-reqout', file('sha512.der')],
    )
    expect(made.exitCode, made.output).toBe(0)
    const body = readFileSync(file('sha512.der'))
    await expectRefused(body, 'malformedRequest', 'encoding.malformed')
  })

  it('about another authority is not answered, of the same name or not', async () => {
    const body = createOcspRequest(foreign.leaf, foreign.issuer)
    expect(foreign.issuer.subject).toBe(issuer.subject)
    await expectRefused(body, 'unauthorized', 'certificate.untrusted')
    const root = createOcspRequest(issuer, authority.root)
    await expectRefused(root, 'unauthorized', 'certificate.untrusted')
  })

  it('that is huge is refused before it is read, and so is a GET', async () => {
    const { answer, kept } = await judged(ask(Buffer.alloc(100_000)))
    expect(answer.status).toBe(413)
    expect(kept).toEqual(['public request.body-too-large'])
    const path = `/ocsp/${'A'.repeat(30_000)}`
    const get = await judged(() => send({ port: port(), path }))
    expect(get.answer.status).toBe(431)
    expect(get.kept).toEqual(['public request.malformed'])
    const broken = await judged(() => send({ port: port(), path: '/ocsp/MEUw' }))
    expect(broken.kept).toEqual(['ocsp encoding.truncated'])
  })

  it('is answered after all that', async () => {
    const { answer, kept } = await judged(ask(good()))
    expect(answer.body.length).toBeGreaterThan(500)
    expect(kept).toEqual([])
  })
})

describe('a time-stamp request', () => {
  const ask = (body: Buffer) => () => post('/tsp', 'application/timestamp-query', body)
  const digest = Buffer.alloc(32, 7)
  const good = (): Buffer => createTspRequest({ hash: 'sha256', digest, certReq: true })
  const expectRefused = async (body: Buffer, failure: string, code: ErrorCode): Promise<void> => {
    const { answer, kept } = await judged(ask(body))
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toBe('application/timestamp-reply')
    const { isGranted, text } = readStatusInfo(parseDer(answer.body).children[0]!)
    expect(isGranted).toBe(false)
    expect(text).toMatch(new RegExp(`^rejection, ${failure}: `))
    expect(kept).toEqual([`tsp ${code}`])
  }

  it.each(FAULTS)('%s has a bad format: %s', async (_what, code, spoil) => {
    await expectRefused(spoil(good()), 'badDataFormat', code)
  })

  const imprint = (hash: string, bytes: Buffer): Buffer =>
    sequence(sequence(oid(hash)), octetString(bytes))
  const SHA_256 = (): Buffer => imprint(OID.sha256, digest)
  const REFUSED: [string, failure: string, ErrorCode, () => Buffer][] = [
    ['of version 2', 'badRequest', 'timestamp.refused', () => sequence(integer(2), SHA_256())],
    [
      'with SHA-1',
      'badAlg',
      'timestamp.refused',
      () => sequence(integer(1), imprint(OID.sha1, Buffer.alloc(20, 7))),
    ],
    [
      'with a hash that is not known',
      'badAlg',
      'timestamp.refused',
      () => sequence(integer(1), imprint('1.2.3.4', digest)),
    ],
    [
      'with a digest that is too short',
      'badDataFormat',
      'timestamp.refused',
      () => sequence(integer(1), imprint(OID.sha256, digest.subarray(1))),
    ],
    [
      'with another policy',
      'unacceptedPolicy',
      'timestamp.refused',
      () => sequence(integer(1), SHA_256(), oid('1.2.3.4')),
    ],
    [
      'with an extension',
      'unacceptedExtension',
      'timestamp.refused',
      () =>
        sequence(
          integer(1),
          SHA_256(),
          tagged(0, sequence(oid('1.2.3.4'), octetString(sequence()))),
        ),
    ],
    [
      'with a nonce of 65 bytes',
      'badDataFormat',
      'encoding.too-large',
      () => sequence(integer(1), SHA_256(), integer(Buffer.alloc(65, 7))),
    ],
    [
      'that is a revocation list',
      'badDataFormat',
      'encoding.malformed',
      () => authority.revocationLists.newest()[0]!.der,
    ],
  ]
  it.each(REFUSED)('%s is refused: %s, %s', async (_what, failure, code, make) => {
    await expectRefused(make(), failure, code)
  })

  it('that is huge is refused before it is read', async () => {
    const { answer, kept } = await judged(ask(Buffer.alloc(100_000)))
    expect(answer.status).toBe(413)
    expect(kept).toEqual(['public request.body-too-large'])
  })

  it('is refused while the clock is set back, and granted when it is right again', async () => {
    const granted = await judged(ask(good()))
    expect(granted.kept).toEqual([])
    shiftMs = -60_000
    await expectRefused(good(), 'timeNotAvailable', 'timestamp.refused')
    shiftMs = 0
    const again = await judged(ask(good()))
    expect(again.kept).toEqual([])
    expect(again.answer.body.length).toBeGreaterThan(500)
  })
})

it('what is not HTTP is answered and noted; a connection that says nothing is not', async () => {
  const raw = (bytes: string): Promise<string> =>
    new Promise((done, fail) => {
      const socket = connect({ host: '127.0.0.1', port: port() })
      let heard = ''
      socket.setEncoding('latin1')
      socket.on('data', (text: string) => (heard += text))
      socket.on('close', () => done(heard))
      socket.on('error', fail)
      if (bytes === '') socket.end()
      else socket.write(bytes)
    })
  const last = authority.journal.list(0, 100_000).at(-1)!.position
  expect(await raw('\u0016\u0003\u0001 no TLS here\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 /)
  expect(await raw('')).toBe('')
  expect(authority.journal.list(last, 10)).toMatchObject([
    { subject: 'public', code: 'request.malformed', detail: 'it is not HTTP/1.1' },
  ])
})
