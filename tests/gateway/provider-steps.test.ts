import { beforeEach, describe, expect, it } from 'vitest'
import { requestExchange, serveExchange } from '../../gateway/exchange.ts'
import type { Received, ServedRecorded } from '../../gateway/exchange-state.ts'
import type { ExchangeLog, ProviderGateway } from '../../gateway/ports.ts'
import { authenticatePeer } from '../../gateway/steps/authenticate-peer.ts'
import { callService } from '../../gateway/steps/call-service.ts'
import { recordRefusal } from '../../gateway/steps/record-refusal.ts'
import { signResponse } from '../../gateway/steps/sign-response.ts'
import { validateResponse } from '../../gateway/steps/validate-response.ts'
import { ExchangeError, type ErrorCode } from '../../protocol/errors.ts'
import { readClientId } from '../../protocol/identifiers.ts'
import { parseJws } from '../../protocol/jws.ts'
import { jwsDigest, requestHash } from '../../protocol/manifest.ts'
import { createLeaf, NOW } from '../pki/support.ts'
import { BANK, CLIENT, ID, pairOfGateways, REGISTRY, SERVICE, textBody } from './support.ts'
import type { Pair } from './support.ts'

let pair: Pair
let gw: ProviderGateway
let received: Received
let recorded: ServedRecorded
beforeEach(async () => {
  pair = await pairOfGateways()
  const { services } = pair.provider.gw
  gw = { ...pair.provider.gw }
  Object.assign(pair.provider.gw, {
    services: { call: (state: ServedRecorded) => ((recorded = state), services.call(state)) },
  })
  await requestExchange(pair.asked(), pair.client.gw)
  received = pair.received(pair.sent[0]!)
})

describe('authenticate-peer', () => {
  const verifying = (code?: ErrorCode) => {
    const asked: unknown[] = []
    const verify = async (...question: unknown[]): Promise<void> => {
      asked.push(question)
      if (code !== undefined) throw new ExchangeError(code, 'no')
    }
    gw = { ...gw, trust: { verify } }
    return asked
  }

  it('finds the gateway by the certificate that it shows, and verifies that', async () => {
    const asked = verifying()
    const { peer, catalogue } = await authenticatePeer(received, gw)
    expect(peer.id).toBe(`${BANK}/BANK-1`)
    expect(catalogue).toBe(pair.view)
    const [certificate] = peer.certificates.values()
    expect(asked).toEqual([[certificate, 'authentication', NOW]])
  })

  it('takes the exchange id that a registered gateway claims, and nobody else’s', async () => {
    const claimed = { ...received, claimedExchangeId: 'claimed' }
    expect((await authenticatePeer(claimed, gw)).exchangeId).toBe('claimed')
    expect((await authenticatePeer(received, gw)).exchangeId).toBe(ID)
    const foreign = { ...claimed, certificate: undefined }
    await serveExchange(foreign, pair.provider.gw).catch(() => undefined)
    expect(pair.provider.log.at(-1)).toMatchObject({ exchangeId: ID, kind: 'refusal' })
  })

  it.each<ErrorCode>(['certificate.revoked', 'certificate.expired'])(
    'refuses a certificate with %s, registered or not',
    async (code) => {
      verifying(code)
      const { leaf } = await createLeaf()
      await expect(authenticatePeer(received, gw)).rejects.toMatchObject({ code })
      const foreign = { ...received, certificate: leaf.der }
      await expect(authenticatePeer(foreign, gw)).rejects.toMatchObject({ code })
    },
  )

  it('refuses a good certificate that is registered for no gateway', async () => {
    const asked = verifying()
    const certificate = pair.keys.bank.certificate.der
    const attempt = authenticatePeer({ ...received, certificate }, gw)
    await expect(attempt).rejects.toMatchObject({ code: 'peer.certificate-unregistered' })
    expect(asked).toMatchObject([[{ der: certificate }, 'authentication', NOW]])
  })

  it.each([
    [undefined, 'peer.certificate-missing'],
    [Buffer.from('x'), 'certificate.untrusted'],
  ] as const)('refuses %j for a certificate', async (certificate, code) => {
    const attempt = authenticatePeer({ ...received, certificate }, gw)
    await expect(attempt).rejects.toMatchObject({ code })
  })
})

describe('call-service', () => {
  it('puts the protocol’s headers on the answer, and drops the service’s own', async () => {
    const names = ['id', 'client', 'service', 'request-id', 'request-hash', 'error']
    const forged = names.map((name) => [`x-road-${name}`, 'forged'] as const)
    const call = async () => ({
      status: 201,
      headers: [...forged, ['x-own', 'kept'] as const],
      body: textBody('x'),
    })
    const { answer } = await callService(recorded, { call })
    expect(answer.status).toBe(201)
    expect(answer.headers).toEqual([
      ['x-own', 'kept'],
      ['x-road-client', CLIENT],
      ['x-road-id', recorded.request.messageId],
      ['x-road-request-hash', requestHash(recorded.requestJws)],
      ['x-road-request-id', ID],
      ['x-road-service', SERVICE],
    ])
  })
})

describe('sign-response', () => {
  it('binds the answer to the signed request, in the name of the service’s member', async () => {
    const answered = await callService(recorded, pair.provider.gw.services)
    const allowed = await validateResponse(answered, gw.validation)
    const { response, responseJws } = await signResponse(allowed, gw)
    expect(response).toMatchObject({
      requestDigest: jwsDigest(pair.sent[0]!.manifest),
      exchangeId: ID,
      client: CLIENT,
      service: SERVICE,
      status: 200,
      gateway: `${REGISTRY}/REG-1`,
      snapshot: 7,
    })
    expect(parseJws(responseJws).header.kid).toBe(REGISTRY)
  })
})

describe('record-refusal', () => {
  const refusal = new ExchangeError('access.denied', 'no')

  it('says what was known, and no more', async () => {
    await recordRefusal({ exchangeId: ID }, refusal, 'provider', gw)
    expect(pair.provider.log.at(-1)).toStrictEqual({
      exchangeId: ID,
      side: 'provider',
      kind: 'refusal',
      at: NOW,
      status: 403,
      code: 'access.denied',
      origin: 'provider-gateway',
      detail: 'no',
    })
    await recordRefusal(recorded, refusal, 'provider', gw)
    expect(pair.provider.log.at(-1)).toMatchObject({
      begunAt: 1,
      client: CLIENT,
      service: SERVICE,
      method: 'POST',
      target: received.rawTarget,
      messageId: recorded.request.messageId,
      peer: `${BANK}/BANK-1`,
    })
  })

  it('sets strangers apart from those who are known', async () => {
    const known: string[] = []
    const strangers: string[] = []
    const log: ExchangeLog = {
      record: async ({ exchangeId }) => known.push(exchangeId),
      recordStranger: async ({ exchangeId }) => void strangers.push(exchangeId),
    }
    const peer = { id: `${BANK}/BANK-1` }
    const client = readClientId(CLIENT)
    for (const side of ['client', 'provider'] as const) {
      await recordRefusal({ exchangeId: `${side} of nobody` }, refusal, side, { ...gw, log })
      await recordRefusal({ exchangeId: `${side} of client`, client }, refusal, side, {
        ...gw,
        log,
      })
      await recordRefusal({ exchangeId: `${side} of peer`, peer }, refusal, side, { ...gw, log })
    }
    expect(known).toEqual(['client of client', 'provider of peer'])
    expect(strangers).toHaveLength(4)
  })

  it('keeps no more of a stranger’s request line than it needs', async () => {
    const state = { exchangeId: ID, rawTarget: 'x'.repeat(8000) }
    await recordRefusal(state, refusal, 'client', gw)
    expect(pair.provider.log.at(-1)?.target).toHaveLength(1024)
  })
})
