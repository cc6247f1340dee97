import { beforeEach, describe, expect, it } from 'vitest'
import { indexSnapshot } from '../../gateway/catalogue/view.ts'
import { requestExchange } from '../../gateway/exchange.ts'
import { valuesOf } from '../../protocol/header-block.ts'
import type { SnapshotService } from '../../protocol/snapshot.ts'
import { later, NOW } from '../pki/support.ts'
import { pairOfGateways, REGISTRY, textBody, type Pair } from './support.ts'

let pair: Pair
beforeEach(async () => {
  pair = await pairOfGateways()
})

/** What both sides, or one of them, have in their snapshot of the service. */
function know(life: Partial<SnapshotService>, ...sides: ('client' | 'provider')[]): void {
  const members = pair.snapshot.members.map((member) => ({
    ...member,
    subsystems: member.subsystems.map((subsystem) => ({
      ...subsystem,
      services: subsystem.services.map((service) => ({ ...service, ...life })),
    })),
  }))
  const view = indexSnapshot({ ...pair.snapshot, members })
  const catalogue = { current: () => view, atLeast: async () => view }
  for (const side of sides) Object.assign(pair[side].gw, { catalogue })
}

const deprecated = {
  state: 'deprecated',
  deprecatedAt: NOW.toISOString(),
  sunset: later(30).toISOString(),
  successor: `${REGISTRY}/POP/echo2`,
} as const

describe('a deprecated service', () => {
  it('answers, and its gateway says until when, in place of the service', async () => {
    know(deprecated, 'client', 'provider')
    const headers = [
      ['sunset', 'never'],
      ['link', '</about>; rel="help"'],
    ] as const
    const call = async () => ({ status: 200, headers, body: textBody('x') })
    Object.assign(pair.provider.gw, { services: { call } })
    const { answer } = await requestExchange(pair.asked(), pair.client.gw)
    expect(answer.status).toBe(200)
    const seconds = Math.floor(NOW.getTime() / 1000)
    expect(valuesOf(answer.headers, 'deprecation')).toEqual([`@${seconds}`])
    expect(valuesOf(answer.headers, 'sunset')).toEqual([later(30).toUTCString()])
    expect(valuesOf(answer.headers, 'link')).toEqual([
      '</about>; rel="help"',
      `</r1/${REGISTRY}/POP/echo2>; rel="successor-version"`,
    ])
  })

  it('leaves a link of a service that goes on alone', async () => {
    const headers = [['link', '</about>; rel="help"']] as const
    const call = async () => ({ status: 200, headers, body: textBody('x') })
    Object.assign(pair.provider.gw, { services: { call } })
    const { answer } = await requestExchange(pair.asked(), pair.client.gw)
    expect(valuesOf(answer.headers, 'link')).toEqual(['</about>; rel="help"'])
  })
})

describe('a retired service', () => {
  const refused = { code: 'service.retired' }

  it.each([
    ['by its state', { ...deprecated, state: 'retired' }],
    ['by its date', { ...deprecated, sunset: NOW.toISOString() }],
  ] as const)('%s is refused by the client’s gateway before anything is sent', async (_, life) => {
    know(life, 'client', 'provider')
    await expect(requestExchange(pair.asked(), pair.client.gw)).rejects.toMatchObject(refused)
    expect(pair.sent).toHaveLength(0)
  })

  it('is refused by the provider’s gateway when the client’s does not know yet', async () => {
    know({ ...deprecated, state: 'retired' }, 'provider')
    await expect(requestExchange(pair.asked(), pair.client.gw)).rejects.toMatchObject(refused)
    expect(pair.sent).toHaveLength(1)
    expect(pair.called).toEqual([])
  })
})
