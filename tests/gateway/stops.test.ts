import { beforeAll, describe, expect, it } from 'vitest'
import { indexSnapshot } from '../../gateway/catalogue/view.ts'
import { requestExchange } from '../../gateway/exchange.ts'
import { verifyNotStopped } from '../../gateway/catalogue-view.ts'
import { verifyClass } from '../../gateway/contracts/clauses.ts'
import type { ContractCall } from '../../gateway/ports.ts'
import { readClientId, readServiceId } from '../../protocol/identifiers.ts'
import { BANK, CLIENT, pairOfGateways, REGISTRY, SERVICE, type Pair } from './support.ts'

let pair: Pair
beforeAll(async () => {
  pair = await pairOfGateways()
})

const call = (...stopped: string[]) => {
  const stops = stopped.map((subject) => ({ subject, since: '2026-01-01T00:00:00Z', reason: 'r' }))
  const view = indexSnapshot({ ...pair.snapshot, stops })
  return () => verifyNotStopped(view, readClientId(CLIENT), readServiceId(SERVICE))
}

describe('a stop', () => {
  it.each([CLIENT, BANK, SERVICE, REGISTRY, `${REGISTRY}/POP`])('of %s is followed', (subject) => {
    expect(call(subject)).toThrow(expect.objectContaining({ code: 'access.stopped' }))
    expect(call(subject)).toThrow(`${subject} is stopped since 2026-01-01T00:00:00Z: r`)
  })

  it('of others changes nothing', () => {
    const others = [`${BANK}/OTHER`, 'KH-TEST/COM/BAN', `${REGISTRY}/POP/other`, 'KH-TEST']
    expect(call(...others)).not.toThrow()
    expect(call()).not.toThrow()
  })
})

it('is followed by the provider although the snapshot of the client does not have it yet', async () => {
  const stops = [{ subject: CLIENT, since: '2026-01-01T00:00:00Z', reason: 'r' }]
  const view = indexSnapshot({ ...pair.snapshot, stops })
  const { gw } = pair.provider
  Object.assign(gw, { catalogue: { current: () => view, atLeast: async () => view } })
  await expect(requestExchange(pair.asked(), pair.client.gw)).rejects.toMatchObject({
    code: 'access.stopped',
  })
  expect(pair.sent).toHaveLength(1)
  expect(pair.called).toEqual([])
  expect(pair.provider.log).toMatchObject([{ kind: 'refusal', code: 'access.stopped' }])
})

describe('the class of a service asks for', () => {
  const all = { purpose: 'p', userId: 'u', issue: 'i' }
  it.each([
    ['personal', { userId: 'u' }, 'access.purpose-missing'],
    ['personal', { purpose: 'p' }, 'access.user-missing'],
    ['personal', { purpose: 'p', userId: 'u' }, undefined],
    ['sensitive', { userId: 'u', issue: 'i' }, 'access.purpose-missing'],
    ['sensitive', { purpose: 'p', issue: 'i' }, 'access.user-missing'],
    ['sensitive', { purpose: 'p', userId: 'u' }, 'access.case-missing'],
    ['sensitive', all, undefined],
    ['internal', {}, undefined],
    ['public', {}, undefined],
    [undefined, {}, undefined],
  ])('%s, of a call with %o: %s', (classification, said, code) => {
    const call = { service: SERVICE, classification, ...said } as ContractCall
    const check = (): void => verifyClass(call, 'no contract is named')
    if (code === undefined) expect(check).not.toThrow()
    else expect(check).toThrow(expect.objectContaining({ code }))
  })
})
