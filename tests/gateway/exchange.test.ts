import { beforeEach, describe, expect, it } from 'vitest'
import { refuseUnread, requestExchange, serveExchange } from '../../gateway/exchange.ts'
import type { Asked, Received } from '../../gateway/exchange-state.ts'
import type { ClientGateway, ExchangeLog, ProviderGateway } from '../../gateway/ports.ts'
import { createSigner } from '../../gateway/signer.ts'
import { ExchangeError, type ErrorCode } from '../../protocol/errors.ts'
import { credentialsOf, CLIENT, ID, pairOfGateways, SERVICE, type Pair } from './support.ts'

let pair: Pair
beforeEach(async () => {
  pair = await pairOfGateways()
})

const CLIENT_STEPS = [
  'read-request',
  'identify-client',
  'resolve-service',
  'receive-body',
  'sign-request',
  'record-request',
  'send-to-provider',
  'verify-response',
  'record-response',
]
const PROVIDER_STEPS = [
  'authenticate-peer',
  'verify-signature',
  'reject-replay',
  'authorise',
  'verify-body',
  'validate-request',
  'record-request',
  'call-service',
  'validate-response',
  'sign-response',
  'record-response',
]

const refuse = (code: ErrorCode) => async (): Promise<never> => {
  throw new ExchangeError(code, 'refused by the test')
}

/** The log of a side, but that it takes no entries of `kind`. */
function failingOn(kind: 'request' | 'response' | 'all', log: ExchangeLog): ExchangeLog {
  return {
    recordStranger: (entry) =>
      kind === 'all' ? refuse('log.unavailable')() : log.recordStranger(entry),
    record: (entry) =>
      entry.kind === kind || kind === 'all' ? refuse('log.unavailable')() : log.record(entry),
  }
}

describe('an exchange', () => {
  it('runs the steps of both sides in the order of the protocol', async () => {
    const { answer } = await requestExchange(pair.asked(), pair.client.gw)
    expect(answer.body.bytes?.toString()).toBe('answer')
    expect(pair.client.ran).toEqual(CLIENT_STEPS)
    expect(pair.provider.ran).toEqual(PROVIDER_STEPS)
    expect(pair.called).toEqual(['POST /persons/1'])
  })

  it('is in both logs as a request and its answer', async () => {
    await requestExchange(pair.asked(), pair.client.gw)
    for (const { log } of [pair.client, pair.provider]) {
      expect(log).toMatchObject([
        { exchangeId: ID, kind: 'request', client: CLIENT, service: SERVICE, method: 'POST' },
        { exchangeId: ID, kind: 'response', begunAt: 1, status: 200 },
      ])
      expect(log[0]).not.toHaveProperty('begunAt')
    }
    expect(pair.client.log.map(({ manifest }) => manifest)).toEqual(
      pair.provider.log.map(({ manifest }) => manifest),
    )
    const peers = [pair.client.log[1]?.peer, ...pair.provider.log.map(({ peer }) => peer)]
    expect(peers.map((peer) => peer?.split('/').at(-1))).toEqual(['REG-1', 'BANK-1', 'BANK-1'])
  })
})

type ClientRow = [
  step: string,
  code: ErrorCode,
  spoil: (gw: ClientGateway) => { asked?: Partial<Asked>; gw?: Partial<ClientGateway> },
]
const CLIENT_ROWS: ClientRow[] = [
  ['read-request', 'request.client-missing', () => ({ asked: { rawHeaders: [] } })],
  [
    'identify-client',
    'client.unknown',
    () => ({ asked: { rawHeaders: ['x-road-client', 'KH-TEST/COM/NOBODY/X'] } }),
  ],
  [
    'resolve-service',
    'service.unknown',
    () => ({ asked: { rawTarget: '/r1/KH-TEST/GOV/REG/POP/nothing' } }),
  ],
  [
    'receive-body',
    'request.body-too-large',
    ({ bodies }) => ({
      gw: { bodies: { ...bodies, ofRequest: refuse('request.body-too-large') } },
    }),
  ],
  [
    'sign-request',
    'client.not-served',
    () => ({ gw: { signer: createSigner(credentialsOf([])) } }),
  ],
  ['record-request', 'log.unavailable', ({ log }) => ({ gw: { log: failingOn('request', log) } })],
  [
    'send-to-provider',
    'provider.timeout',
    () => ({ gw: { peers: { send: refuse('provider.timeout') } } }),
  ],
  [
    'verify-response',
    'provider.answer-incomplete',
    ({ bodies }) => ({
      gw: { bodies: { ...bodies, ofReply: refuse('provider.answer-incomplete') } },
    }),
  ],
  [
    'record-response',
    'log.unavailable-after-call',
    ({ log }) => ({ gw: { log: failingOn('response', log) } }),
  ],
]

describe('the client gateway', () => {
  it.each(CLIENT_ROWS)('refused by %s (%s): records it and goes no further', async (...row) => {
    const [step, code, spoil] = row
    const spoilt = spoil(pair.client.gw)
    const gw = { ...pair.client.gw, ...spoilt.gw }
    const exchange = requestExchange(pair.asked(spoilt.asked), gw)
    await expect(exchange).rejects.toMatchObject({ code, step })
    const index = CLIENT_STEPS.indexOf(step)
    expect(pair.client.ran).toEqual([...CLIENT_STEPS.slice(0, index + 1), 'record-refusal'])
    const refusal = pair.client.log.at(-1)
    expect(refusal).toMatchObject({ exchangeId: ID, kind: 'refusal', side: 'client', code })
    expect(refusal?.origin).toBe('client-gateway')
    const recorded = index > CLIENT_STEPS.indexOf('record-request')
    expect(refusal?.begunAt).toBe(recorded ? 1 : undefined)
    if (!recorded) expect(pair.sent).toEqual([])
  })

  it('says that the log takes no entries when not even the refusal can be recorded', async () => {
    const gw = { ...pair.client.gw, log: failingOn('all', pair.client.gw.log) }
    const exchange = requestExchange(pair.asked({ rawHeaders: [] }), gw)
    await expect(exchange).rejects.toMatchObject({ code: 'log.unavailable' })
  })

  it('records what the provider refused as that side’s refusal', async () => {
    const provider = { ...pair.provider.gw, accessRules: { grantsFor: () => [] } }
    const send: ClientGateway['peers']['send'] = async (_gateway, message) => {
      await serveExchange(pair.received(message), provider).catch(() => undefined)
      throw new ExchangeError('access.denied', 'no grant', { origin: 'provider-gateway' })
    }
    const exchange = requestExchange(pair.asked(), { ...pair.client.gw, peers: { send } })
    await expect(exchange).rejects.toMatchObject({ code: 'access.denied' })
    const refusal = { kind: 'refusal', code: 'access.denied', origin: 'provider-gateway' }
    expect(pair.client.log.at(-1)).toMatchObject(refusal)
    expect(pair.provider.log.at(-1)).toMatchObject(refusal)
  })

  it('records a fault of its own as internal, without its message', async () => {
    const send = async (): Promise<never> => {
      throw new TypeError('a secret')
    }
    const exchange = requestExchange(pair.asked(), { ...pair.client.gw, peers: { send } })
    await expect(exchange).rejects.toBeInstanceOf(TypeError)
    expect(pair.client.log.at(-1)).toMatchObject({ code: 'internal', status: 500, begunAt: 1 })
    expect(JSON.stringify(pair.client.log)).not.toContain('secret')
  })
})

type ProviderRow = [
  step: string,
  code: ErrorCode,
  spoil: (gw: ProviderGateway) => { received?: Partial<Received>; gw?: Partial<ProviderGateway> },
]
const PROVIDER_ROWS: ProviderRow[] = [
  [
    'authenticate-peer',
    'peer.certificate-missing',
    () => ({ received: { certificate: undefined } }),
  ],
  ['verify-signature', 'manifest.missing', () => ({ received: { rawHeaders: [] } })],
  [
    'reject-replay',
    'manifest.replayed',
    () => ({ gw: { replayGuard: { firstSeen: () => false } } }),
  ],
  ['authorise', 'access.denied', () => ({ gw: { accessRules: { grantsFor: () => [] } } })],
  [
    'verify-body',
    'request.timeout',
    ({ bodies }) => ({ gw: { bodies: { ...bodies, ofRequest: refuse('request.timeout') } } }),
  ],
  ['record-request', 'log.unavailable', ({ log }) => ({ gw: { log: failingOn('request', log) } })],
  [
    'call-service',
    'service.timeout',
    () => ({ gw: { services: { call: refuse('service.timeout') } } }),
  ],
  [
    'sign-response',
    'client.not-served',
    ({ signer }) => ({
      gw: {
        signer: { ...signer, sign: (...order) => createSigner(credentialsOf([])).sign(...order) },
      },
    }),
  ],
  [
    'record-response',
    'log.unavailable-after-call',
    ({ log }) => ({ gw: { log: failingOn('response', log) } }),
  ],
]

describe('the provider gateway', () => {
  it.each(PROVIDER_ROWS)('refused by %s (%s): records it and goes no further', async (...row) => {
    const [step, code, spoil] = row
    await requestExchange(pair.asked(), {
      ...pair.client.gw,
      peers: { send: async (_gateway, message) => (pair.sent.push(message), refuse('internal')()) },
    }).catch(() => undefined)
    const spoilt = spoil(pair.provider.gw)
    const gw = { ...pair.provider.gw, ...spoilt.gw }
    const exchange = serveExchange(pair.received(pair.sent[0]!, spoilt.received), gw)
    await expect(exchange).rejects.toMatchObject({ code, step })
    const index = PROVIDER_STEPS.indexOf(step)
    expect(pair.provider.ran).toEqual([...PROVIDER_STEPS.slice(0, index + 1), 'record-refusal'])
    const refusal = pair.provider.log.at(-1)
    expect(refusal).toMatchObject({ exchangeId: ID, kind: 'refusal', side: 'provider', code })
    expect(refusal?.origin).toBe('provider-gateway')
    const recorded = index > PROVIDER_STEPS.indexOf('record-request')
    expect(refusal?.begunAt).toBe(recorded ? 1 : undefined)
    expect(pair.called.length).toBe(index > PROVIDER_STEPS.indexOf('call-service') ? 1 : 0)
  })

  it('says that the log takes no entries when not even the refusal can be recorded', async () => {
    const refusing = { accessRules: { grantsFor: () => [] } }
    const log = failingOn('all', pair.provider.gw.log)
    const provider = { ...pair.provider.gw, ...refusing, log }
    const heard: unknown[] = []
    const send: ClientGateway['peers']['send'] = async (_gateway, message) => {
      // As a port makes it: its own id until the peer is known, then the one that is signed.
      const received = pair.received(message, { exchangeId: 'its own', claimedExchangeId: ID })
      heard.push(await serveExchange(received, provider).catch((e: unknown) => e))
      return refuse('internal')()
    }
    await requestExchange(pair.asked(), { ...pair.client.gw, peers: { send } }).catch(() => {})
    const step = 'record-refusal'
    expect(heard).toMatchObject([{ code: 'log.unavailable', step, exchangeId: ID }])
  })

  it('says that the call was made when what came of it cannot be recorded', async () => {
    await requestExchange(pair.asked(), pair.client.gw)
    const { log } = pair.provider.gw
    const record: ExchangeLog['record'] = (entry) =>
      entry.kind === 'request' ? log.record(entry) : refuse('log.unavailable')()
    const provider = {
      ...pair.provider.gw,
      log: { ...log, record },
      replayGuard: { firstSeen: () => true },
    }
    const attempt = serveExchange(pair.received(pair.sent[0]!), provider)
    await expect(attempt).rejects.toMatchObject({ code: 'log.unavailable-after-call' })
    expect(pair.called).toHaveLength(2)
  })

  it('knows a repetition by the exchange id that was signed', async () => {
    await requestExchange(pair.asked(), pair.client.gw)
    const again = pair.received(pair.sent[0]!, { exchangeId: 'another' })
    const replayed = { code: 'manifest.replayed' }
    await expect(serveExchange(again, pair.provider.gw)).rejects.toMatchObject(replayed)
    expect(pair.called).toHaveLength(1)
  })
})

describe('what is no HTTP request', () => {
  it('is recorded as a refusal without more than its id', async () => {
    const error = new ExchangeError('request.malformed', 'not HTTP')
    await refuseUnread(ID, error, 'provider', pair.provider.gw)
    expect(pair.provider.log).toMatchObject([
      { exchangeId: ID, side: 'provider', kind: 'refusal', code: 'request.malformed' },
    ])
  })
})
