import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { createClientServer } from '../../gateway/http/client-server.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { CLIENT, pairOfGateways, SERVICE, silent } from './support.ts'

it.each([
  [7, '7'],
  [undefined, null],
])(
  'a refusal says after how many seconds the call may be repeated: %s',
  async (seconds, header) => {
    const { gw } = (await pairOfGateways()).client
    const peers = {
      send: async (): Promise<never> => {
        const refusal = new ExchangeError('access.quota-exceeded', 'd', {
          origin: 'provider-gateway',
        })
        if (seconds !== undefined) refusal.retryAfterSeconds = seconds
        throw refusal
      },
    }
    const limits = { requestMs: 5000, idleMs: 5000, maxConnections: 10 }
    const server = createClientServer({
      ...{ gw: { ...gw, peers }, explaining: {} as never, logger: silent },
      ...limits,
    })
    onTestFinished(() => void server.close())
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const headers = { 'X-Road-Client': CLIENT, Connection: 'close' }
    const answer = await fetch(`http://127.0.0.1:${port}/r1/${SERVICE}/persons/1`, { headers })
    expect(answer.status).toBe(429)
    expect(answer.headers.get('retry-after')).toBe(header)
  },
)
