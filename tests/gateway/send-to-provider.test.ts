import { beforeAll, describe, expect, it } from 'vitest'
import type { RequestRecorded } from '../../gateway/exchange-state.ts'
import { sendToProvider } from '../../gateway/steps/send-to-provider.ts'
import { ExchangeError, type ErrorCode, type Origin } from '../../protocol/errors.ts'
import { parseTarget } from '../../protocol/target.ts'
import { pairOfGateways, REGISTRY, SERVICE, textBody, type Pair } from './support.ts'

let pair: Pair
beforeAll(async () => {
  pair = await pairOfGateways()
})

/** Sends to the provider's two gateways; each entry is what one of them does. */
async function attempt(outcomes: ('answers' | ErrorCode)[], origin?: Origin) {
  const tried: string[] = []
  const recorded = {
    gateways: pair.view.gatewaysOf(`${REGISTRY}/POP`),
    method: 'GET',
    headers: [],
    body: textBody(''),
    requestJws: 'jws',
    target: parseTarget(`/r1/${SERVICE}`),
  } as unknown as RequestRecorded
  const send = async ({ id }: { id: string }) => {
    const outcome = outcomes[tried.length]
    tried.push(id.split('/').at(-1)!)
    if (outcome === 'answers') return { status: 200, rawHeaders: [], stream: textBody('').open() }
    throw new ExchangeError(outcome!, 'no', origin === undefined ? {} : { origin })
  }
  const result = await sendToProvider(recorded, { send }).catch((error: unknown) => error)
  return { tried, result }
}

describe('send-to-provider', () => {
  it('asks the first gateway, and no other when it answers', async () => {
    const { tried, result } = await attempt(['answers'])
    expect(tried).toEqual(['REG-1'])
    expect(result).toMatchObject({ peer: { id: `${REGISTRY}/REG-1` }, reply: { status: 200 } })
  })

  it.each<ErrorCode>(['provider.unreachable', 'provider.overloaded'])(
    'asks the next one after %s: nothing was sent',
    async (code) => {
      const { tried, result } = await attempt([code, 'answers'])
      expect(tried).toEqual(['REG-1', 'REG-2'])
      expect(result).toMatchObject({ peer: { id: `${REGISTRY}/REG-2` } })
    },
  )

  it('says so when none can be reached', async () => {
    const { tried, result } = await attempt(['provider.unreachable', 'provider.unreachable'])
    expect(tried).toEqual(['REG-1', 'REG-2'])
    expect(result).toMatchObject({ code: 'provider.unreachable' })
  })

  it.each<ErrorCode>([
    'provider.timeout',
    'provider.answer-incomplete',
    'provider.answer-invalid',
    'provider.certificate-unregistered',
    'certificate.revoked',
    'access.denied',
  ])('asks no other gateway after %s', async (code) => {
    const { tried, result } = await attempt([code, 'answers'])
    expect(tried).toEqual(['REG-1'])
    expect(result).toMatchObject({ code })
  })

  it('asks no other gateway when the provider says of itself that it cannot be reached', async () => {
    const { tried } = await attempt(['provider.unreachable', 'answers'], 'provider-gateway')
    expect(tried).toEqual(['REG-1'])
  })
})
