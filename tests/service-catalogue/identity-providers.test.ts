import { generateKeyPair, SignJWT, UnsecuredJWT, type CryptoKey } from 'jose'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  AUDIENCE,
  startIdentityProvider,
  type RunningProvider,
} from './identity-provider-support.ts'
import { INSTANCE, startTestCatalogue, type Answer, type Running } from './support.ts'

let provider: RunningProvider
let running: Running
beforeAll(async () => {
  provider = await startIdentityProvider({
    'sok.dara': { groups: ['staff', 'spean-operators'], name: 'Sok Dara' },
    'chan.sophea': { groups: ['spean-members'], members: [`${INSTANCE}/GOV/MOI`] },
    'no.member': { groups: ['spean-members'] },
    nobody: { groups: ['staff'] },
  })
  running = await startTestCatalogue({
    overrides: {
      identityProviders: [
        {
          name: 'idp',
          issuer: provider.issuer,
          audience: AUDIENCE,
          personClaim: 'sub',
          roles: [
            { claim: 'groups', value: 'spean-operators', role: 'admin' },
            {
              ...{ claim: 'groups', value: 'spean-members', role: 'member-admin' },
              scopeClaim: 'members',
            },
          ],
        },
      ],
    },
  })
})
afterAll(async () => {
  await running[Symbol.asyncDispose]()
  await provider[Symbol.asyncDispose]()
})

const whoami = (token: string): Promise<Answer> => running.call('GET', '/admin/whoami', { token })
const outcome = ({ status, body }: Answer): unknown[] => [status, body.code]
const UNAUTHENTICATED = [401, 'admin.unauthenticated']

describe('a person of an identity provider', () => {
  it('has the role of its claim', async () => {
    const { body } = await whoami(await provider.token('sok.dara'))
    expect(body).toMatchObject({ name: 'Sok Dara', role: 'admin', person: 'idp:sok.dara' })
    const member = await whoami(await provider.token('chan.sophea'))
    expect(member.body).toMatchObject({ role: 'member-admin', scope: [`${INSTANCE}/GOV/MOI`] })
  })

  it('has none without the claim, or without anything to be it for', async () => {
    for (const name of ['nobody', 'no.member']) {
      const answer = await whoami(await provider.token(name))
      expect(outcome(answer)).toEqual([403, 'admin.not-permitted'])
    }
  })

  it('stands in the trail by name, and decides nothing of its own by an API key', async () => {
    const token = await provider.token('chan.sophea')
    await running.call('PUT', '/admin/members/GOV/MOI', { body: { name: 'MOI' } })
    const asked = { kind: 'subsystem', id: `${INSTANCE}/GOV/MOI/POP`, body: { name: 'POP' } }
    const made = await running.call('POST', '/admin/requests', {
      token,
      body: { ...asked, reason: 'law 12' },
    })
    expect(made.status).toBe(201)
    const key = { name: 'k', role: 'admin', person: 'idp:chan.sophea' }
    const { body } = await running.call('POST', '/admin/keys', { body: key })
    const approve = (by: string): Promise<Answer> =>
      running.call('POST', `/admin/requests/${String(made.body.id)}/approve`, {
        token: by,
        body: { reason: 'good' },
      })
    expect(outcome(await approve(String(body.key)))).toEqual([403, 'admin.own-request'])
    expect((await approve(await provider.token('sok.dara'))).status).toBe(200)
    const trail = (await running.call('GET', '/admin/audit')).body
    const rows = trail.rows as { entry: { who?: string; credential?: string } }[]
    expect(rows.map(({ entry }) => entry)).toContainEqual(
      expect.objectContaining({ who: 'Sok Dara', credential: 'OpenID Connect idp', result: 'ok' }),
    )
    expect(JSON.stringify(trail)).not.toContain(token)
  })

  it('is known by keys that are fetched once', async () => {
    for (let i = 0; i < 5; i++) await whoami(await provider.token('sok.dara'))
    expect(provider.keysAsked()).toBe(1)
  })
})

interface Made {
  readonly claims?: Record<string, unknown>
  readonly alg?: string
  readonly kid?: string
  readonly key?: CryptoKey | Uint8Array
  readonly expires?: number
}
async function forge({ claims, alg = 'ES256', kid = 'k1', key, expires = 600 }: Made) {
  const good = { iss: provider.issuer, aud: AUDIENCE, sub: 'sok.dara', groups: 'spean-operators' }
  return new SignJWT({ ...good, exp: Math.floor(Date.now() / 1000) + expires, ...claims })
    .setProtectedHeader({ alg, kid })
    .sign(key ?? provider.key)
}

describe('a token is refused', () => {
  it('not when it is right, so that the rest of these tests means something', async () => {
    expect((await whoami(await forge({}))).status).toBe(200)
  })

  const shared = new TextEncoder().encode('0123456789abcdef0123456789abcdef')
  const cases: [why: string, sentence: RegExp, make: () => Promise<string> | string][] = [
    ['that has expired', /has expired/, () => forge({ expires: -60 })],
    ['that is for another audience', /not for https:/, () => forge({ claims: { aud: 'other' } })],
    ['of another issuer', /no provider/, () => forge({ claims: { iss: 'https://evil.example' } })],
    ['without an end', /no good "exp"/, () => forge({ claims: { exp: undefined } })],
    ['that is not valid yet', /no good "nbf"/, () => forge({ claims: { nbf: 9_999_999_999 } })],
    ['of nobody', /no text in "sub"/, () => forge({ claims: { sub: 7 } })],
    ['that a shared secret signed', /"HS256"/, () => forge({ alg: 'HS256', key: shared })],
    [
      'that nobody signed',
      /"none"/,
      () =>
        new UnsecuredJWT({ groups: ['spean-operators'] })
          .setIssuer(provider.issuer)
          .setAudience(AUDIENCE)
          .setSubject('sok.dara')
          .setExpirationTime('10m')
          .encode(),
    ],
    [
      'signed with a key that the provider does not have',
      /a key that idp does not have/,
      async () => forge({ kid: 'k2', key: (await generateKeyPair('ES256')).privateKey }),
    ],
    [
      'signed with another key under the name of a good one',
      /signature of the token/,
      async () => forge({ key: (await generateKeyPair('ES256')).privateKey }),
    ],
    ['that is no token', /no JWT/, () => 'a.b.c'],
  ]
  it.each(cases)('%s', async (_why, sentence, make) => {
    const answer = await whoami(await make())
    expect(outcome(answer)).toEqual(UNAUTHENTICATED)
    expect(answer.body.detail).toMatch(sentence)
  })

  it('when the provider cannot be reached, and not its keys that are known', async () => {
    const gone = await startIdentityProvider({ x: {} })
    const token = await gone.token('x')
    await gone[Symbol.asyncDispose]()
    await using catalogue = await startTestCatalogue({
      overrides: {
        identityProviders: [
          {
            ...{ name: 'gone', issuer: gone.issuer, audience: AUDIENCE, personClaim: 'sub' },
            roles: [{ claim: 'sub', value: 'x', role: 'admin' }],
          },
        ],
      },
    })
    const answer = await catalogue.call('GET', '/admin/whoami', { token })
    expect(outcome(answer)).toEqual(UNAUTHENTICATED)
    expect(answer.body.detail).toMatch(/cannot be had/)
  })
})
