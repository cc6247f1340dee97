/** Tokens of users, made by hand: each fault has its sentence. */
import { createHmac } from 'node:crypto'
import {
  base64url,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  SignJWT,
  type GenerateKeyPairResult,
  type JSONWebKeySet,
  type JWTPayload,
} from 'jose'
import { beforeAll, expect, it } from 'vitest'
import type { IdentityProvider } from '../../gateway/user-tokens/identity-providers.ts'
import { createProviderKeys, INTERVAL_MS } from '../../gateway/user-tokens/provider-keys.ts'
import { createUserTokens } from '../../gateway/user-tokens/user-tokens.ts'
import { userTokenOf } from '../../protocol/headers.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { BANK, SERVICE, silent } from './support.ts'

const ISSUER = 'https://id.bank.example'
const AT = new Date('2026-11-24T12:00:00Z')
const seconds = (text: string): number => Date.parse(text) / 1000
const EXPECTED = { service: SERVICE, userId: 'KH-42', member: BANK }

let own: GenerateKeyPairResult
let other: GenerateKeyPairResult
let jwks: JSONWebKeySet
beforeAll(async () => {
  own = await generateKeyPair('ES256', { extractable: true })
  other = await generateKeyPair('ES256')
  jwks = { keys: [{ ...(await exportJWK(own.publicKey)), kid: 'k1' }] }
})

const claims = (changes: JWTPayload = {}): JWTPayload => ({
  iss: ISSUER,
  aud: SERVICE,
  sub: 'KH-42',
  exp: seconds('2026-11-24T12:05:00Z'),
  ...changes,
})
const token = (
  payload = claims(),
  header: { alg: string; kid?: string; crit?: string[] } = { alg: 'ES256', kid: 'k1' },
  key = own.privateKey,
): Promise<string> => new SignJWT(payload).setProtectedHeader(header).sign(key)
const without = (claim: string): JWTPayload => {
  const { [claim]: _left, ...rest } = claims()
  return rest
}
const part = (value: object): string => base64url.encode(JSON.stringify(value))

function verify(
  text: string | undefined,
  expected = EXPECTED,
  provider: Partial<IdentityProvider> = { jwks },
): Promise<void> {
  const known: IdentityProvider = { member: BANK, issuer: ISSUER, ...provider }
  const find = (member: string, issuer: string) =>
    member === known.member && issuer === known.issuer ? known : undefined
  const keys = createProviderKeys({
    fetchJwks: () => Promise.reject(new TypeError()),
    logger: silent,
  })
  return createUserTokens({ find }, keys).verify(text, expected, AT)
}
async function refusal(text: string, expected = EXPECTED): Promise<string> {
  const error: unknown = await verify(text, expected).then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof ExchangeError)) throw new TypeError('it passes')
  expect(error.code).toBe('access.token-invalid')
  // A token is a key while it lasts: no part of it is in what is recorded.
  for (const piece of text.split('.'))
    if (piece.length > 8) expect(error.message).not.toContain(piece)
  return error.message.replace('the token of the user is refused: ', '')
}

it('a good token passes, and so does one for several audiences', async () => {
  await verify(await token())
  await verify(await token(claims({ aud: ['https://other.example', SERVICE] })))
  await verify(await token(claims({ nbf: seconds('2026-11-24T12:00:09Z') })))
})

it('a call without a token, or without a user, is told so', async () => {
  await expect(verify(undefined)).rejects.toMatchObject({ code: 'access.token-missing' })
  const nobody = { ...EXPECTED, userId: undefined }
  const refused = { code: 'access.user-missing' }
  await expect(verify(await token(), nobody as unknown as typeof EXPECTED)).rejects.toMatchObject(
    refused,
  )
})

const ALGORITHM = 'its algorithm is none of an asymmetric signature (RFC 8725 §3.1)'
const UNUSABLE = 'its header or its key cannot be used'
const SUBJECT = 'its subject (sub) is not the user that X-Road-UserId names'
const SIGNATURE = 'its signature does not verify'
const rows: [name: string, make: () => string | Promise<string>, why: string][] = [
  ['alg none', () => `${part({ alg: 'none' })}.${part(claims())}.`, ALGORITHM],
  ['alg None', () => `${part({ alg: 'None' })}.${part(claims())}.`, ALGORITHM],
  ['no alg', () => `${part({})}.${part(claims())}.AAAA`, ALGORITHM],
  ['HS256 with the public key as its secret', hs256, ALGORITHM],
  [
    'another audience',
    () => token(claims({ aud: 'other' })),
    `its audience (aud) is not ${SERVICE}`,
  ],
  ['no audience', () => token(without('aud')), `its audience (aud) is not ${SERVICE}`],
  ['another user', () => token(claims({ sub: 'KH-43' })), SUBJECT],
  ['no user', () => token(without('sub')), SUBJECT],
  ['expired', () => token(claims({ exp: seconds('2026-11-24T11:59:50Z') })), 'it has expired'],
  ['no end', () => token(without('exp')), 'it has no time at which it expires (exp)'],
  [
    'not yet',
    () => token(claims({ nbf: seconds('2026-11-24T12:00:30Z') })),
    'it is not valid yet (nbf)',
  ],
  [
    'an unknown key',
    () => token(claims(), { alg: 'ES256', kid: 'k2' }),
    `its key is none of ${ISSUER}`,
  ],
  [
    'another alg than the key',
    () => `${part({ alg: 'RS256', kid: 'k1' })}.${part(claims())}.AAAA`,
    `its key is none of ${ISSUER}`,
  ],
  [
    'a stranger’s key',
    () => token(claims(), { alg: 'ES256', kid: 'k1' }, other.privateKey),
    SIGNATURE,
  ],
  ['altered claims', altered, SIGNATURE],
  [
    'another issuer',
    () => token(claims({ iss: 'https://id.evil.example' })),
    `its issuer is no identity provider of ${BANK} at this gateway`,
  ],
  [
    'no issuer',
    () => token(without('iss')),
    `its issuer is no identity provider of ${BANK} at this gateway`,
  ],
  [
    'an extension that nobody knows',
    () => `${part({ alg: 'ES256', kid: 'k1', crit: ['x'], x: 1 })}.${part(claims())}.AAAA`,
    UNUSABLE,
  ],
  ['words', () => 'not a token', 'it is no JWT of three parts'],
  ['an encrypted one', () => 'a.b.c.d.e', 'it is no JWT of three parts'],
  [
    'claims that are no JSON',
    () => `${part({ alg: 'ES256' })}.${base64url.encode('{')}.AAAA`,
    'it is no JWT of three parts',
  ],
]
async function hs256(): Promise<string> {
  const signed = `${part({ alg: 'HS256', kid: 'k1' })}.${part(claims())}`
  const secret = await exportSPKI(own.publicKey)
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}
async function altered(): Promise<string> {
  const [header = '', , signature = ''] = (await token()).split('.')
  return [header, part(claims({ exp: seconds('2027-01-01T00:00:00Z') })), signature].join('.')
}

it.each(rows)('a token with %s is refused', async (_name, make, why) => {
  expect(await refusal(await make())).toBe(why)
})

it('tokens of one member do not count for another', async () => {
  const elsewhere = { ...EXPECTED, member: 'KH-TEST/COM/OTHER' }
  expect(await refusal(await token(), elsewhere)).toContain('KH-TEST/COM/OTHER')
})

it('a symmetric key in a key set is no key', async () => {
  const oct = { keys: [{ kty: 'oct', k: base64url.encode('secret'), kid: 'k1' }] }
  await expect(verify(await token(), EXPECTED, { jwks: oct })).rejects.toMatchObject({
    code: 'access.token-invalid',
    message: `the token of the user is refused: its key is none of ${ISSUER}`,
  })
})

it('the header may stand once, and its length has a limit', () => {
  const code = (...headers: string[]): unknown => {
    try {
      return userTokenOf(headers)
    } catch (error) {
      return (error as ExchangeError).code
    }
  }
  expect(code('Host', 'x')).toBeUndefined()
  expect(code('Spean-User-Token', '')).toBeUndefined()
  expect(code('host', 'spean-user-token', 'SPEAN-USER-TOKEN', 'abc')).toBe('abc')
  expect(code('Spean-User-Token', 'a', 'spean-user-token', 'a')).toBe('request.header-repeated')
  expect(code('Spean-User-Token', 'a'.repeat(8192))).toHaveLength(8192)
  expect(code('Spean-User-Token', 'a'.repeat(8193))).toBe('access.token-invalid')
})

it('keys are fetched once, again for an unknown key at most once in an interval, and outlive an outage', async () => {
  let now = 0
  let fetched = 0
  let served: JSONWebKeySet | undefined = jwks
  const keys = createProviderKeys({
    fetchJwks: async () => {
      fetched += 1
      if (served === undefined) throw new TypeError('away')
      return served
    },
    logger: silent,
    now: () => now,
  })
  const known = { member: BANK, issuer: ISSUER, jwksUrl: 'https://id.bank.example/jwks' }
  const tokens = createUserTokens({ find: () => known }, keys)
  const isPassing = (text: string): Promise<boolean> =>
    tokens.verify(text, EXPECTED, AT).then(
      () => true,
      () => false,
    )
  const good = await token()
  expect(await Promise.all(Array.from({ length: 20 }, () => isPassing(good)))).not.toContain(false)
  expect(fetched).toBe(1)

  const rolled = await token(claims(), { alg: 'ES256', kid: 'k2' })
  for (let i = 0; i < 20; i += 1) expect(await isPassing(rolled)).toBe(false)
  expect(fetched).toBe(1)
  now += INTERVAL_MS
  for (let i = 0; i < 20; i += 1) expect(await isPassing(rolled)).toBe(false)
  expect(fetched).toBe(2)
  served = { keys: [...jwks.keys, { ...jwks.keys[0]!, kid: 'k2' }] }
  now += INTERVAL_MS
  expect(await isPassing(rolled)).toBe(true)
  expect(fetched).toBe(3)

  served = undefined
  now += 3_600_000
  expect(await isPassing(good)).toBe(true)
  now += 86_400_000
  expect(await isPassing(good)).toBe(false)
  served = jwks
  now += INTERVAL_MS
  expect(await isPassing(good)).toBe(true)
})
