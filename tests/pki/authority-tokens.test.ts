/** An authority that keeps all of its keys in a real PKCS#11 token, judged by openssl. */
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import type { AuthorityConfig } from '../../pki/authority/config.ts'
import { startAuthority, type RunningAuthority } from '../../pki/authority/server.ts'
import { createOcspRequest } from '../../pki/ocsp-request.ts'
import { createOcspError } from '../../pki/ocsp-response.ts'
import { ConfigError } from '../../runtime/config.ts'
import { createSoftHsm, type SoftHsm } from '../support/soft-hsm.ts'
import { authorityConfig } from '../support/authority.ts'
import { requestFor } from './authority-support.ts'
import { GATEWAY, openssl, temporaryFolder } from './support.ts'

const { gateway: _, ...MEMBER } = GATEWAY
const KINDS = {
  root: 'EC:secp384r1',
  authentication: 'EC:prime256v1',
  signing: 'rsa:2048',
  ocspAuthentication: 'EC:prime256v1',
  ocspSigning: 'rsa:2048',
  timeStamping: 'rsa:2048',
} as const

let token: SoftHsm
let keys: NonNullable<AuthorityConfig['keys']>
beforeAll(() => {
  token = createSoftHsm()
  for (const [i, [name, kind]] of Object.entries(KINDS).entries()) {
    token.makeKey(kind, name, `0${i + 1}`)
  }
  const places = Object.keys(KINDS).map((name) => [name, token.uri(`object=${name}`)])
  keys = Object.fromEntries(places) as typeof keys
  return () => token.dispose()
}, 60_000)

async function start(folder: string, places: AuthorityConfig['keys']): Promise<RunningAuthority> {
  const config = authorityConfig({ stateDir: join(folder, 'state') })
  const logger = pino({ level: 'silent' })
  const running = await startAuthority({ ...config, ...(places && { keys: places }) }, { logger })
  onTestFinished(() => running[Symbol.asyncDispose]())
  return running
}

async function post(url: string, type: string, body: Uint8Array): Promise<Buffer> {
  const headers = { 'content-type': type }
  const answer = await fetch(url, { method: 'POST', headers, body: new Uint8Array(body) })
  expect(answer.status).toBe(200)
  return Buffer.from(await answer.arrayBuffer())
}

describe('an authority with its keys in a token', () => {
  it('issues, tells states, lists and stamps so that openssl accepts it', async () => {
    const folder = temporaryFolder()
    const file = (name: string): string => join(folder, name)
    const { authority, publicUrl } = await start(folder, keys)
    // What TLS shows is a file: OpenSSL in Node asks no token.
    const files = readdirSync(file('state')).filter((name) => name.endsWith('.key'))
    expect(files).toEqual(['admin.key'])

    writeFileSync(file('root.pem'), authority.root.pem)
    for (const [kind, identity] of [
      ['authentication', GATEWAY],
      ['signing', MEMBER],
    ] as const) {
      const issuer = authority.issuers[kind]
      const good = await authority.issue({ csr: await requestFor(identity), kind, identity })
      const gone = await authority.issue({ csr: await requestFor(identity), kind, identity })
      authority.revoke(gone.serial, 'keyCompromise')
      await authority.revocationLists.issueNow()
      const lists = await Promise.all(
        [...good.crlUrls, ...issuer.crlUrls].map(async (url, i) => {
          const der = Buffer.from(await (await fetch(url)).arrayBuffer())
          writeFileSync(file(`${i}.crl`), der)
          return (await openssl('crl', '-inform', 'DER', '-in', file(`${i}.crl`))).output
        }),
      )
      writeFileSync(file('lists.pem'), lists.join(''))
      writeFileSync(file('issuer.pem'), issuer.pem)
      const judged = async (certificate: typeof good): Promise<[path: string, state: string]> => {
        writeFileSync(file('leaf.pem'), certificate.pem)
        const path = await openssl(
          ['verify', '-x509_strict', '-crl_check_all', '-CAfile', file('root.pem')],
          ['-untrusted', file('issuer.pem'), '-CRLfile', file('lists.pem'), file('leaf.pem')],
        )
        const state = await openssl(
          ['ocsp', '-url', certificate.ocspUrls[0]!, '-CAfile', file('root.pem')],
          ['-verify_other', file('issuer.pem'), '-issuer', file('issuer.pem')],
          ['-cert', file('leaf.pem')],
        )
        expect(state.output).toContain('Response verify OK')
        return [path.output, state.output]
      }
      const [path, state] = await judged(good)
      expect(path).toContain('leaf.pem: OK')
      expect(state).toContain('leaf.pem: good')
      const [broken, revoked] = await judged(gone)
      expect(broken).toContain('certificate revoked')
      expect(revoked).toContain('leaf.pem: revoked')
    }

    writeFileSync(file('data'), 'what was said')
    await openssl('ts', '-query', '-data', file('data'), '-sha256', '-cert', '-out', file('query'))
    const query = await openssl('base64', '-A', '-in', file('query'))
    const bytes = Buffer.from(query.output, 'base64')
    const reply = await post(`${publicUrl}/tsp`, 'application/timestamp-query', bytes)
    writeFileSync(file('reply'), reply)
    writeFileSync(file('signing.pem'), authority.issuers.signing.pem)
    const stamped = await openssl(
      ['ts', '-verify', '-queryfile', file('query'), '-in', file('reply')],
      ['-CAfile', file('root.pem'), '-untrusted', file('signing.pem')],
    )
    expect(stamped.output).toContain('Verification: OK')
  }, 30_000)

  it('says in the words of each protocol that its token is away, and goes on when it is back', async () => {
    const folder = temporaryFolder()
    const { authority, publicUrl } = await start(folder, keys)
    const order = { kind: 'signing', identity: MEMBER } as const
    const leaf = await authority.issue({ csr: await requestFor(MEMBER), ...order })
    const askOcsp = () =>
      post(
        `${publicUrl}/ocsp`,
        'application/ocsp-request',
        createOcspRequest(leaf, authority.issuers.signing),
      )
    const query = Buffer.from(
      '303902010130313' + '00d060960864801650304020105000420' + '00'.repeat(32) + '0101ff',
      'hex',
    )
    const stamp = () => post(`${publicUrl}/tsp`, 'application/timestamp-query', query)
    const before = await authority.revocationLists.current('signing')

    token.takeAway()
    try {
      expect(await askOcsp()).toEqual(createOcspError('tryLater'))
      expect((await stamp()).includes('the request cannot be handled now')).toBe(true)
      await expect(authority.issue({ csr: await requestFor(MEMBER), ...order })).rejects.toThrow(
        expect.objectContaining({ name: 'KeyError' }),
      )
      expect(await authority.revocationLists.current('signing')).toEqual(before)
    } finally {
      token.bringBack()
    }
    const refused = authority.journal.list(0, 1000).filter(({ action }) => action === 'refused')
    expect(refused).toMatchObject([
      { subject: 'ocsp', code: 'internal' },
      { subject: 'tsp', code: 'internal' },
    ])
    expect(JSON.stringify(authority.journal.list(0, 1000))).not.toContain('1234')

    await expect.poll(askOcsp, { timeout: 5_000 }).not.toEqual(createOcspError('tryLater'))
    expect((await stamp()).length).toBeGreaterThan(500)
  }, 30_000)

  it('starts without the root key in it, and names the place when the root has to sign', async () => {
    token.makeKey('EC:prime256v1', 'soon gone', '77')
    const folder = temporaryFolder()
    const places = { ...keys, root: token.uri('object=soon%20gone') }
    const first = await start(folder, places)
    const { thumbprint } = first.authority.root
    await first[Symbol.asyncDispose]()
    for (const type of ['privkey', 'pubkey']) {
      token.tool('--delete-object', '--type', type, '--id', '77')
    }
    const { authority } = await start(folder, places)
    expect(authority.root.thumbprint).toBe(thumbprint)
    const order = { kind: 'signing', identity: MEMBER } as const
    await authority.issue({ csr: await requestFor(MEMBER), ...order })
    expect(authority.warnings()).toEqual([])
  })

  it('does not start when the key of its certificate was changed for another one', async () => {
    const folder = temporaryFolder()
    await (await start(folder, keys))[Symbol.asyncDispose]()
    const swapped = { ...keys, signing: keys.ocspSigning! }
    await expect(start(folder, swapped)).rejects.toThrow(ConfigError)
  })
})
