import { beforeEach, describe, expect, it } from 'vitest'
import { requestExchange } from '../../gateway/exchange.ts'
import type { Authenticated } from '../../gateway/exchange-state.ts'
import type { ProviderGateway } from '../../gateway/ports.ts'
import { verifyBody } from '../../gateway/steps/verify-body.ts'
import { verifySignature } from '../../gateway/steps/verify-signature.ts'
import { headerBlock, headerBlockDigest } from '../../protocol/header-block.ts'
import { parseJws } from '../../protocol/jws.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { parseRequestManifest, type RequestManifest } from '../../protocol/manifest.ts'
import { ExchangeError, type ErrorCode } from '../../protocol/errors.ts'
import { NOW } from '../pki/support.ts'
import { BANK, pairOfGateways, REGISTRY, SERVICE, textBody, type Pair } from './support.ts'

let pair: Pair
let good: Authenticated
let manifest: RequestManifest
let gw: ProviderGateway
beforeEach(async () => {
  pair = await pairOfGateways()
  await requestExchange(pair.asked(), pair.client.gw)
  const [message] = pair.sent
  manifest = parseRequestManifest(parseJws(message!.manifest).payload)
  const peer = pair.view.gateway(`${BANK}/BANK-1`)!
  good = { ...pair.received(message!), peer, catalogue: pair.view }
  gw = pair.provider.gw
})

/** The good message with other headers, signed anew with the changes to its manifest. */
async function signed(
  changes: Partial<RequestManifest>,
  { extra = [], at = NOW }: { extra?: string[]; at?: Date } = {},
): Promise<Authenticated> {
  const unsigned = good.rawHeaders.slice(0, -2)
  const rawHeaders = [...unsigned, ...extra]
  const headersDigest = headerBlockDigest(headerBlock(rawHeaders))
  const { signer } = pair.client.gw
  const said = { ...manifest, headersDigest, ...changes }
  const jws = await signer.sign(BANK, said, pair.view, at)
  return { ...good, rawHeaders: [...rawHeaders, 'Spean-Manifest', jws] }
}
const refused = async (state: Authenticated | Promise<Authenticated>, code: ErrorCode) =>
  expect(verifySignature(await state, gw)).rejects.toMatchObject({ code })

describe('verify-signature', () => {
  it('hands on what was signed', async () => {
    const verified = await verifySignature(good, gw)
    expect(verified.request).toEqual(manifest)
    expect(verified.target).toMatchObject({ servicePath: '/persons/1', query: '' })
    expect(verified.headers.map(([name]) => name)).not.toContain('spean-manifest')
    expect((await verifySignature(await signed({}), gw)).request).toEqual(manifest)
  })

  it('asks for the signing certificate as of the time of receipt', async () => {
    const asked: unknown[] = []
    const verify = async (...question: unknown[]): Promise<void> => void asked.push(question)
    await verifySignature(good, { ...gw, trust: { verify } })
    expect(asked).toEqual([[pair.keys.bank.certificate, 'signing', NOW]])
  })

  it('refuses what trust refuses', async () => {
    const verify = async (): Promise<never> => {
      throw new ExchangeError('certificate.revoked', 'revoked')
    }
    gw = { ...gw, trust: { verify } }
    await refused(good, 'certificate.revoked')
  })

  it.each(['method', 'rawTarget'] as const)(
    'refuses another %s than the signed one',
    async (part) => {
      const other = { method: 'PUT', rawTarget: `/r1/${SERVICE}/persons/2` }[part]
      await refused({ ...good, [part]: other }, 'manifest.message-altered')
    },
  )

  it('refuses one header more, less or altered', async () => {
    const { rawHeaders } = good
    await refused({ ...good, rawHeaders: [...rawHeaders, 'x-a', 'b'] }, 'manifest.message-altered')
    await refused({ ...good, rawHeaders: rawHeaders.slice(2) }, 'manifest.message-altered')
    const altered = rawHeaders.map((text) => (text === 'text/plain' ? 'text/html' : text))
    await refused({ ...good, rawHeaders: altered }, 'manifest.message-altered')
  })

  it('refuses a manifest twice, or none', async () => {
    const [name = '', jws = ''] = good.rawHeaders.slice(-2)
    const twice = [...good.rawHeaders, name, jws]
    await refused({ ...good, rawHeaders: twice }, 'manifest.malformed')
    await refused({ ...good, rawHeaders: good.rawHeaders.slice(0, -2) }, 'manifest.missing')
  })

  it('refuses a manifest that is longer than the protocol takes, although it is signed', async () => {
    const bodyDigest = 'x'.repeat(LIMITS.manifestBytes)
    await refused(signed({ bodyDigest }), 'manifest.malformed')
  })

  it.each([
    [-300, true],
    [300, true],
    [-301, false],
    [301, false],
  ])('a signature %i seconds from its receipt is taken: %s', async (seconds, taken) => {
    const state = await signed({}, { at: new Date(NOW.getTime() + seconds * 1000) })
    if (taken) await verifySignature(state, gw)
    else await refused(state, 'manifest.time-invalid')
  })

  it.each<[string, Partial<RequestManifest>, ErrorCode]>([
    ['a client of another member', { client: `${REGISTRY}/POP` }, 'manifest.signer-unknown'],
    ['a client of another gateway', { client: `${BANK}/ELSEWHERE` }, 'peer.client-mismatch'],
    ['another gateway', { gateway: `${REGISTRY}/REG-1` }, 'peer.client-mismatch'],
    ['a client that is none', { client: 'BANK' }, 'request.identifier-invalid'],
    ['another service', { service: `${SERVICE}2` }, 'manifest.malformed'],
    ['another client of the member', { client: BANK }, 'manifest.malformed'],
    ['another message id', { messageId: 'other' }, 'manifest.malformed'],
    ['a user that no header names', { userId: 'KH1' }, 'manifest.malformed'],
    ['an issue that no header names', { issue: 'case' }, 'manifest.malformed'],
    ['a party that no header names', { representedParty: 'COM/X' }, 'manifest.malformed'],
    ['a purpose that no header names', { purpose: 'kyc' }, 'manifest.malformed'],
    [
      'another exchange',
      { exchangeId: '01a206cc-083d-72a8-8932-a6c940c296d1' },
      'manifest.malformed',
    ],
  ])('refuses a manifest that says %s', async (_name, changes, code) => {
    await refused(signed(changes), code)
  })

  it.each([
    ['x-road-userid', 'KH1'],
    ['x-road-issue', 'case'],
    ['x-road-represented-party', 'COM/X'],
    ['spean-purpose', 'kyc'],
  ])('refuses a signed %s that the manifest does not say', async (name, value) => {
    await refused(signed({}, { extra: [name, value] }), 'manifest.malformed')
  })

  it('refuses the key of another member, and a key that is not registered', async () => {
    const sign = (member: string) => pair.provider.gw.signer.sign(member, manifest, pair.view, NOW)
    const jws = await sign(REGISTRY)
    const rawHeaders = [...good.rawHeaders.slice(0, -1), jws]
    await refused({ ...good, rawHeaders }, 'manifest.signer-unknown')
    const catalogue = { ...pair.view, signingCertificate: () => undefined }
    gw = { ...gw, catalogue: { ...gw.catalogue, atLeast: async () => catalogue } }
    await refused({ ...good, catalogue }, 'manifest.signer-unknown')
  })

  it('refuses a signature by another key than the certificate’s', async () => {
    const { certificate } = pair.keys.registry
    const catalogue = { ...pair.view, signingCertificate: () => certificate }
    await refused({ ...good, catalogue }, 'manifest.signature-invalid')
  })
})

describe('verify-body', () => {
  it.each([
    ['the signed body', 'the body', undefined],
    ['another body of its length', 'The body', 'manifest.body-altered'],
    ['a longer body', 'the body ', 'manifest.body-altered'],
    ['no body', '', 'manifest.body-altered'],
  ])('judges %s', async (_name, text, code) => {
    const verified = await verifySignature(good, gw)
    const stream = textBody(text).open()
    const permitted = { ...verified, firstSeen: true, grant: undefined, stream } as const
    const attempt = verifyBody(permitted, gw.bodies)
    if (code === undefined) expect((await attempt).body.bytes?.toString()).toBe(text)
    else await expect(attempt).rejects.toMatchObject({ code })
  })

  it('compares the size too', async () => {
    const verified = await verifySignature(good, gw)
    const request = { ...manifest, bodySize: manifest.bodySize + 1 }
    const permitted = { ...verified, request, firstSeen: true, grant: undefined } as const
    const attempt = verifyBody(permitted, gw.bodies)
    await expect(attempt).rejects.toMatchObject({ code: 'manifest.body-altered' })
  })
})
