/** What stands in the log, judged by programs that are not ours: Debian's jose and python3-jwcrypto, openssl. */
import { execFile, execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KeyKind } from '../../pki/keys.ts'
import { REGISTRY, startFederation, type Federation } from '../support/federation.ts'

const run = promisify(execFile)

const PYTHON = `
import sys
from jwcrypto import jwk, jws
key = jwk.JWK.from_pem(open(sys.argv[1], 'rb').read())
token = jws.JWS()
token.deserialize(open(sys.argv[2]).read(), key)
sys.stdout.write(token.payload.decode('utf-8'))
`

describe.each(['P-256', 'RSA-2048'] as KeyKind[])('manifests signed with %s', (keyKind) => {
  let f: Federation
  let manifests: string[]
  const file = (name: string, content: string | Buffer): string => {
    const path = join(f.dir, name)
    writeFileSync(path, content)
    return path
  }
  const signers = () => [f.client.signing, f.provider.signing]
  beforeAll(async () => {
    f = await startFederation({ keyKind })
    const { headers, status } = await f.call(`/r1/${REGISTRY}/echo`, { method: 'POST', body: 'x' })
    expect(status).toBe(200)
    const entries = await f.provider.entries(String(headers['x-road-request-id']))
    manifests = entries.map(({ manifest }) => String(manifest))
  })
  afterAll(() => f[Symbol.asyncDispose]())

  it('verify with python3-jwcrypto, and not once a character is altered', () => {
    manifests.forEach((jws, i) => {
      const pem = signers()[i]!.keys.publicKey.export({ type: 'spki', format: 'pem' })
      const key = file('signer.pem', pem)
      const judge = (text: string): string =>
        execFileSync('/usr/bin/python3', ['-c', PYTHON, key, file('m.jws', text)], {
          encoding: 'utf8',
          stdio: 'pipe',
        })
      const payload = Buffer.from(jws.split('.')[1]!, 'base64url').toString('utf8')
      expect(judge(jws)).toBe(payload)
      const [head, body, signature] = jws.split('.') as [string, string, string]
      const altered = [head, body.replace(/^./, (c) => (c === 'A' ? 'B' : 'A')), signature].join(
        '.',
      )
      expect(() => judge(altered)).toThrow()
    })
  })

  it('verify with the jose command, and not with the other side’s key', () => {
    manifests.forEach((jws, i) => {
      const jwk = (signer: number): string =>
        file(
          `k${signer}.jwk`,
          JSON.stringify(signers()[signer]!.keys.publicKey.export({ format: 'jwk' })),
        )
      const judge = (key: string): string =>
        execFileSync('jose', ['jws', 'ver', '-i', file('m.jws', jws), '-k', key, '-O-'], {
          encoding: 'utf8',
          stdio: 'pipe',
        })
      expect(JSON.parse(judge(jwk(i)))).toMatchObject({ version: 1 })
      expect(() => judge(jwk(1 - i))).toThrow()
    })
  })

  it('name a certificate whose chain openssl verifies', () => {
    manifests.forEach((jws, i) => {
      const header = JSON.parse(Buffer.from(jws.split('.')[0]!, 'base64url').toString('utf8')) as {
        'x5t#S256': string
      }
      const { certificate } = signers()[i]!
      expect(header['x5t#S256']).toBe(certificate.thumbprint)
      const root = file('root.pem', f.ca)
      const issuing = file('issuing.pem', f.authority.authority.issuers.signing.pem)
      const leaf = file('leaf.pem', certificate.pem)
      const printed = execFileSync(
        'openssl',
        ['verify', '-x509_strict', '-CAfile', root, '-untrusted', issuing, leaf],
        { encoding: 'utf8' },
      )
      expect(printed.trim()).toBe(`${leaf}: OK`)
    })
  })

  it('name a certificate whose state openssl ocsp reads', async () => {
    const issuing = file('issuing.pem', f.authority.authority.issuers.signing.pem)
    const root = file('root.pem', f.ca)
    const { certificate } = f.client.signing
    const leaf = file('leaf.pem', certificate.pem)
    const ask = async (): Promise<string> => {
      // Not execFileSync: the responder answers from this process.
      const { stdout, stderr } = await run('openssl', [
        ...['ocsp', '-issuer', issuing, '-cert', leaf, '-CAfile', root],
        ...['-url', certificate.ocspUrls[0]!],
      ])
      return stdout + stderr
    }
    const good = await ask()
    expect(good).toContain(`${leaf}: good`)
    expect(good).toContain('Response verify OK')
    f.authority.authority.revoke(certificate.serial, 'superseded')
    expect(await ask()).toContain(`${leaf}: revoked`)
  })
})
