/** openssl judges what the authority says of its certificates: by OCSP, and by lists fetched over HTTP. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startAuthority, type RunningAuthority } from '../../pki/authority/server.ts'
import { createCsr } from '../../pki/csr.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { generateKey, type KeyKind } from '../../pki/keys.ts'
import { createOcspRequest } from '../../pki/ocsp-request.ts'
import { createOcspError } from '../../pki/ocsp-response.ts'
import { verifyOcspResponse } from '../../pki/ocsp-verify.ts'
import { GATEWAY, openssl, temporaryFolder, writeFiles } from '../pki/support.ts'
import { authorityConfig } from '../support/authority.ts'

const { gateway: _, ...MEMBER } = GATEWAY

interface Setup {
  readonly running: RunningAuthority
  readonly file: (name: string) => string
  readonly setTime: (at: Date) => void
}

async function start(keyKind: KeyKind = 'P-256'): Promise<Setup> {
  const folder = temporaryFolder()
  const file = (name: string): string => join(folder, name)
  let shiftMs = 0
  const clock = (): Date => new Date(Date.now() + shiftMs)
  const config = authorityConfig({ stateDir: file('state'), keyKind })
  const running = await startAuthority(config, { logger: pino({ level: 'silent' }), clock })
  onTestFinished(() => running[Symbol.asyncDispose]())
  return { running, file, setTime: (at) => void (shiftMs = at.getTime() - Date.now()) }
}

async function issue({ authority }: RunningAuthority, kind: 'authentication' | 'signing') {
  const identity = kind === 'signing' ? MEMBER : GATEWAY
  const csr = (await createCsr({ identity, key: await generateKey('P-256') })).pem
  return authority.issue({ csr, kind, identity })
}

async function fetchBytes(url: string): Promise<Buffer> {
  const answer = await fetch(url)
  expect(answer.status, url).toBe(200)
  return Buffer.from(await answer.arrayBuffer())
}

/** `openssl verify` with every list of the path, fetched from where the certificates say. */
async function verify({ running, file }: Setup, leaf: Certificate) {
  const { root, issuers } = running.authority
  const issuer = leaf.issuer === issuers.signing.subject ? issuers.signing : issuers.authentication
  const lists = [...leaf.crlUrls, ...issuer.crlUrls]
  expect(lists).toHaveLength(2)
  const pems: string[] = []
  for (const [i, url] of lists.entries()) {
    writeFileSync(file(`${i}.crl`), await fetchBytes(url))
    const { output } = await openssl('crl', '-inform', 'DER', '-in', file(`${i}.crl`))
    pems.push(output)
  }
  writeFiles(file(''), {
    'root.pem': root.pem,
    'issuer.pem': issuer.pem,
    'leaf.pem': leaf.pem,
    'lists.pem': pems.join(''),
  })
  return openssl(
    ['verify', '-x509_strict', '-crl_check_all', '-CAfile', file('root.pem')],
    ['-untrusted', file('issuer.pem'), '-CRLfile', file('lists.pem'), file('leaf.pem')],
  )
}

describe.each(['P-256', 'P-384', 'RSA-2048'] as const)(
  'revocation by an authority of %s',
  (kind) => {
    it('stands in lists that openssl verify checks, at the next issue', async () => {
      const setup = await start(kind)
      const { authority } = setup.running
      for (const leafKind of ['authentication', 'signing'] as const) {
        const leaf = await issue(setup.running, leafKind)
        expect((await verify(setup, leaf)).output).toContain('OK')
        authority.revoke(leaf.serial, 'keyCompromise')
        await authority.revocationLists.issueNow()
        const revoked = await verify(setup, leaf)
        expect(revoked.exitCode).not.toBe(0)
        expect(revoked.output).toContain('certificate revoked')
      }
    })

    it('is told by OCSP at once, of both issuing authorities', async () => {
      const { running, file } = await start(kind)
      const { root, issuers } = running.authority
      for (const leafKind of ['authentication', 'signing'] as const) {
        const [good, revoked] = [await issue(running, leafKind), await issue(running, leafKind)]
        running.authority.revoke(revoked.serial, 'superseded')
        writeFiles(file(''), {
          'root.pem': root.pem,
          'issuer.pem': issuers[leafKind].pem,
          'good.pem': good.pem,
          'revoked.pem': revoked.pem,
        })
        const { output } = await openssl(
          ['ocsp', '-url', good.ocspUrls[0]!, '-CAfile', file('root.pem')],
          ['-issuer', file('issuer.pem'), '-verify_other', file('issuer.pem')],
          ['-cert', file('good.pem'), '-cert', file('revoked.pem'), '-serial', '0x77'],
        )
        expect(output).toContain('Response verify OK')
        expect(output).toContain(`${file('good.pem')}: good`)
        expect(output).toContain(`${file('revoked.pem')}: revoked`)
        expect(output).toContain('0x77: unknown')
      }
    })
  },
)

describe('a revocation list', () => {
  it('comes with the headers of a cache, and is not sent twice to who has it', async () => {
    const { running } = await start()
    const answer = await fetch(`${running.publicUrl}/crl/authentication.crl`)
    expect(answer.headers.get('content-type')).toBe('application/pkix-crl')
    for (const name of ['etag', 'last-modified', 'expires', 'cache-control']) {
      expect(answer.headers.get(name), name).not.toBeNull()
    }
    const headers = { 'if-none-match': answer.headers.get('etag')! }
    const again = await fetch(`${running.publicUrl}/crl/authentication.crl`, { headers })
    expect(again.status).toBe(304)
  })

  it('is issued anew when it is due, whoever asks and however long nobody did', async () => {
    const { running, setTime } = await start()
    const { revocationLists } = running.authority
    const first = await revocationLists.current('signing')
    expect(await revocationLists.current('signing')).toEqual(first)
    setTime(new Date(Date.now() + 3 * 86_400_000))
    const later = await revocationLists.current('signing')
    expect(later!.number).toBe(first!.number + 1)
    expect(later!.nextUpdate.getTime()).toBeGreaterThan(Date.now() + 3 * 86_400_000)
  })
})

describe('the OCSP responder', () => {
  const ask = async (url: string, body: Uint8Array) => {
    const headers = { 'content-type': 'application/ocsp-request' }
    const answer = await fetch(`${url}/ocsp`, {
      method: 'POST',
      headers,
      body: new Uint8Array(body),
    })
    return Buffer.from(await answer.arrayBuffer())
  }

  it('speaks for the first authority named when asked about both', async () => {
    const { running } = await start()
    const { issuers } = running.authority
    const leaves = [await issue(running, 'signing'), await issue(running, 'authentication')]
    const requests = [
      createOcspRequest(leaves[0]!, issuers.signing),
      createOcspRequest(leaves[1]!, issuers.authentication),
    ]
    const der = await ask(running.publicUrl, joinRequests(requests))
    const at = new Date()
    const expected = { certificate: leaves[0]!, issuer: issuers.signing, at }
    expect(verifyOcspResponse(der, expected).status).toBe('good')
    expect(() =>
      verifyOcspResponse(der, {
        certificate: leaves[1]!,
        issuer: issuers.authentication,
        at,
      }),
    ).toThrow(expect.objectContaining({ code: 'certificate.status-unknown' }))
  })

  it('notes in the journal what it could not answer, by the code of the fault', async () => {
    const { running } = await start()
    const { authority, publicUrl } = running
    const leaf = await issue(running, 'signing')
    const good = createOcspRequest(leaf, authority.issuers.signing)
    const foreign = await start()
    const other = await issue(foreign.running, 'signing')
    const faults: [Buffer, answer: 'malformedRequest' | 'unauthorized', code: string][] = [
      [good.subarray(0, 40), 'malformedRequest', 'encoding.truncated'],
      [Buffer.concat([good, Buffer.of(0)]), 'malformedRequest', 'encoding.trailing-bytes'],
      [Buffer.from('garbage'), 'malformedRequest', 'encoding.truncated'],
      [
        createOcspRequest(leaf, authority.issuers.signing, { nonce: Buffer.alloc(129, 1) }),
        'malformedRequest',
        'encoding.malformed',
      ],
      [
        createOcspRequest(other, foreign.running.authority.issuers.signing),
        'unauthorized',
        'certificate.untrusted',
      ],
    ]
    for (const [bytes, answer] of faults) {
      expect(await ask(publicUrl, bytes)).toEqual(createOcspError(answer))
    }
    const refused = authority.journal.list(0, 1000).filter(({ subject }) => subject === 'ocsp')
    expect(refused.map(({ code }) => code)).toEqual(faults.map(([, , code]) => code))
    expect(refused.map(({ bytes }) => bytes)).toEqual(faults.map(([bytes]) => bytes.length))
    await ask(publicUrl, Buffer.alloc(100_000))
    expect(authority.journal.list(0, 1000).at(-1)).toMatchObject({
      subject: 'public',
      code: 'request.body-too-large',
      bytes: 100_000,
    })
  })

  it('keeps of a flood of refusals some, and the number of the others', async () => {
    const { running } = await start()
    for (let i = 0; i < 100; i += 1) await ask(running.publicUrl, Buffer.of(i))
    const { journal } = running.authority
    const kept = journal.list(0, 1000).filter(({ action }) => action === 'refused')
    expect(kept).toHaveLength(60)
    journal[Symbol.dispose]()
    expect(journal.list(0, 1000).at(-1)).toMatchObject({ action: 'refusals-omitted' })
    expect(journal.list(0, 1000).at(-1)!.detail).toMatch(/^40 more/)
  })
})

/** One request about the certificates of several: each is SEQUENCE { SEQUENCE { SEQUENCE OF Request } }. */
function joinRequests(requests: readonly Buffer[]): Buffer {
  const inner = Buffer.concat(requests.map((request) => request.subarray(6)))
  const wrap = (content: Buffer): Buffer =>
    Buffer.concat([
      content.length < 128
        ? Buffer.of(0x30, content.length)
        : Buffer.of(0x30, 0x81, content.length),
      content,
    ])
  return wrap(wrap(wrap(inner)))
}
