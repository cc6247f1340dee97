/** Keys of identity providers over HTTPS: of a real one by other authors, and of servers that do not behave. */
import { readFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { fetchJwks } from '../../gateway/user-tokens/fetch-jwks.ts'
import type { IdentityProvider } from '../../gateway/user-tokens/identity-providers.ts'
import { createProviderKeys, INTERVAL_MS } from '../../gateway/user-tokens/provider-keys.ts'
import { createUserTokens } from '../../gateway/user-tokens/user-tokens.ts'
import {
  startIdentityProvider,
  type RunningProvider,
} from '../service-catalogue/identity-provider-support.ts'
import {
  createAuthority,
  temporaryFolder,
  writeServerCertificate,
} from '../service-catalogue/support.ts'
import { freePort } from '../support/http.ts'
import { BANK, SERVICE, silent } from './support.ts'

const USER = 'sok.dara'
let caCertificates: string
let tls: { cert: string; key: string }
let idp: RunningProvider
beforeAll(async () => {
  const authority = await createAuthority()
  const folder = temporaryFolder()
  const files = { tlsCertificateFile: join(folder, 'c.pem'), tlsKeyFile: join(folder, 'k.pem') }
  await writeServerCertificate(authority, files)
  caCertificates = authority.root.certificate.pem
  tls = {
    cert: readFileSync(files.tlsCertificateFile, 'utf8'),
    key: readFileSync(files.tlsKeyFile, 'utf8'),
  }
  idp = await startIdentityProvider({ [USER]: {} }, { audience: SERVICE, tls })
})
afterAll(() => idp[Symbol.asyncDispose]())

const known = (changes: Partial<IdentityProvider> = {}): IdentityProvider => ({
  member: BANK,
  issuer: idp.issuer,
  jwksUrl: `${idp.issuer}/jwks`,
  caCertificates,
  ...changes,
})

it('tokens of a real provider verify by the keys that it publishes, also after it changed them', async () => {
  let now = 0
  const keys = createProviderKeys({ fetchJwks, logger: silent, now: () => now })
  const provider = known()
  const tokens = createUserTokens({ find: () => provider }, keys)
  const verify = async (): Promise<string | undefined> => {
    const token = await idp.token(USER)
    await tokens.verify(token, { service: SERVICE, userId: USER, member: BANK }, new Date())
    return decodeProtectedHeader(token).kid
  }
  expect(await verify()).toBe('k1')
  await idp.rotate()
  await expect(verify()).rejects.toMatchObject({
    code: 'access.token-invalid',
    message: expect.stringContaining('its key is none of') as string,
  })
  now += INTERVAL_MS
  expect(await verify()).toBe('k2')
  expect(idp.keysAsked()).toBe(2)
})

it('a server by a certificate of somebody else has no keys for us', async () => {
  const stranger = (await createAuthority('Stranger')).root.certificate.pem
  const { caCertificates: _own, ...publicOnly } = known()
  await expect(fetchJwks(known({ caCertificates: stranger }))).rejects.toThrow()
  await expect(fetchJwks(publicOnly)).rejects.toThrow()
  await expect(
    fetchJwks(known({ jwksUrl: known().jwksUrl!.replace('https', 'http') })),
  ).rejects.toThrow()
})

const good = JSON.stringify({ keys: [{ kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }] })
const BAD: [name: string, answer: RequestListener, why: RegExp][] = [
  [
    'a redirect',
    (request, response) => {
      if (request.url === '/good') response.end(good)
      else response.writeHead(302, { location: '/good' }).end(good)
    },
    /status 302/,
  ],
  ['a fault', (_, response) => response.writeHead(500).end(good), /status 500/],
  ['a page', (_, response) => response.end('<html>sign in</html>'), /no set of keys/],
  ['JSON that is no set of keys', (_, response) => response.end('{"keys":{}}'), /no set of keys/],
  ['keys that are none', (_, response) => response.end('{"keys":[1]}'), /no set of keys/],
  [
    'too many bytes',
    (_, response) => response.end(good + ' '.repeat(256 * 1024)),
    /longer than 262144 bytes/,
  ],
  [
    'half an answer',
    (_, response) =>
      response.writeHead(200, { 'content-length': 99 }).write('{') &&
      setTimeout(() => response.destroy(), 50),
    /./,
  ],
  ['no answer', () => undefined, /timeout/],
  [
    'an answer that never ends',
    (_, response) => {
      const drip = setInterval(() => response.write(' '), 200)
      response.on('close', () => clearInterval(drip))
    },
    /timeout/,
  ],
]

it('whoever answers with something else, or not in time, has no keys, and nobody waits long', async () => {
  const outcomes = await Promise.all(
    BAD.map(async ([name, answer]) => {
      const server = createServer(tls, answer)
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
      onTestFinished(async () => {
        server.closeAllConnections()
        await new Promise((done) => server.close(done))
      })
      const { port } = server.address() as AddressInfo
      const jwksUrl = `https://127.0.0.1:${port}/jwks`
      const [outcome] = await Promise.allSettled([fetchJwks(known({ jwksUrl }))])
      return [name, outcome.status === 'rejected' ? String(outcome.reason) : 'it has keys']
    }),
  )
  expect(outcomes).toEqual(BAD.map(([name, , why]) => [name, expect.stringMatching(why)]))
  const jwksUrl = `https://127.0.0.1:${await freePort()}/jwks`
  await expect(fetchJwks(known({ jwksUrl }))).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})
