import { Agent, createServer, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { listen } from '../../runtime/lifecycle.ts'

function get(port: number, agent: Agent): Promise<string> {
  return new Promise((resolve) => {
    const asked = request({ host: '127.0.0.1', port, agent }, (response) => {
      response.resume()
      response.on('end', () => resolve(String(response.statusCode)))
      response.on('error', (error: NodeJS.ErrnoException) => resolve(`cut: ${error.code}`))
    })
    asked.on('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(asked.reusedSocket ? `${code} on a kept connection` : `${code}`),
    )
    asked.end()
  })
}

it('a server stops soon although a connection that is kept is never idle, and cuts no answer off', async () => {
  const server = createServer((_, response) => void delay(20).then(() => response.end('x')))
  const listening = await listen(server, 0)
  const agents = Array.from({ length: 8 }, () => new Agent({ keepAlive: true, maxSockets: 1 }))
  const outcomes = agents.map(async (agent) => {
    const seen: string[] = []
    while (seen.at(-1) === undefined || seen.at(-1) === '200') {
      seen.push(await get(listening.port, agent))
    }
    return seen
  })
  await delay(200)
  const begun = performance.now()
  await listening[Symbol.asyncDispose]()
  expect(performance.now() - begun).toBeLessThan(2000)
  for (const seen of await Promise.all(outcomes)) {
    expect(seen.length).toBeGreaterThan(2)
    // A kept connection on which requests come ends with `Connection: close` in an answer. A new one may stand in the
    // queue of the system, where Node does not accept it any more once it stops to listen: that may be reset.
    expect(seen.at(-1)).toMatch(/^ECONN(REFUSED|RESET)$/)
  }
})
