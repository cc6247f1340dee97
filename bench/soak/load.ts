/** Constant load on a gateway: calls begin at their time, whether or not those before them have ended. */
import { createHash } from 'node:crypto'
import { Agent, createServer, request as httpRequest } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { listen, type Listening } from '../../runtime/lifecycle.ts'
import { INSTANCE } from './federation.ts'

export interface Load {
  readonly exchanges: number
  /** By code: of the refusal, or of the connection. */
  readonly failures: ReadonlyMap<string, number>
  /** What the last failures said. */
  readonly details: readonly string[]
  /** Milliseconds of every call that ended, in order, without what a slow service took. */
  readonly times: readonly number[]
  /** Ends it: resolves when the calls under way have ended, with how many have not within a minute. */
  stop(): Promise<number>
}

const PATH = `/r1/${INSTANCE}/GOV/REG/POP/echo`
const CLIENT = `${INSTANCE}/GOV/BANK/KYC`
const LONG_BODY = createHash('shake256', { outputLength: 1_000_000 }).update('long').digest()
const LONG_DIGEST = createHash('sha256').update(LONG_BODY).digest('hex')
/** Of fifty calls: one with a long body, one whose service is slow, four on a connection of their own. */
const KINDS = ['long', 'slow', 'fresh', 'fresh', 'fresh', 'fresh'] as const
const SLOW_MS = 3000

/** A service that echoes a digest, at once or after a while. */
export function startEcho(): Promise<Listening> {
  const server = createServer((request, response) => {
    const hash = createHash('sha256')
    request.on('data', (chunk: Buffer) => hash.update(chunk))
    request.on('end', () => {
      const answer = (): void => void response.end(hash.digest('hex'))
      if (request.url?.includes('slow')) setTimeout(answer, SLOW_MS)
      else answer()
    })
  })
  return listen(server, 0)
}

export function startLoad(port: number, perSecond: number): Load {
  const kept = new Agent({ keepAlive: true })
  const failures = new Map<string, number>()
  const details: string[] = []
  const times: number[] = []
  const underWay = new Set<Promise<void>>()
  let begun = 0
  let ended = 0
  const call = async (kind: string | undefined): Promise<void> => {
    const started = performance.now()
    const body = kind === 'long' ? LONG_BODY : Buffer.from(`call ${begun}`)
    const expected = kind === 'long' ? LONG_DIGEST : createHash('sha256').update(body).digest('hex')
    const fault = await send(port, kind ?? 'kept', body, kind === 'fresh' ? false : kept)
      .then(({ status, text }) =>
        status === 200 && text === expected ? undefined : codeOf(status, text),
      )
      .catch((error: NodeJS.ErrnoException) => [error.code ?? error.message, ''] as const)
    ended += 1
    // How slow a service is says nothing of the gateways.
    const serviceMs = kind === 'slow' ? SLOW_MS : 0
    times.push(performance.now() - started - serviceMs)
    if (fault === undefined) return
    failures.set(fault[0], (failures.get(fault[0]) ?? 0) + 1)
    details.push(`${new Date().toISOString()} ${kind ?? 'kept'} ${fault.join(' ')}`)
  }
  const start = performance.now()
  const timer = setInterval(() => {
    const due = Math.floor(((performance.now() - start) / 1000) * perSecond)
    for (; begun < due; begun += 1) {
      const running = call(KINDS[begun % 50]).finally(() => underWay.delete(running))
      underWay.add(running)
    }
  }, 5)
  return {
    failures,
    details,
    times,
    get exchanges() {
      return ended
    },
    stop: async () => {
      clearInterval(timer)
      await Promise.race([Promise.all(underWay), delay(60_000, undefined, { ref: false })])
      kept.destroy()
      return underWay.size
    },
  }
}

function codeOf(status: number, text: string): readonly [code: string, detail: string] {
  try {
    const { code, detail, origin } = JSON.parse(text) as Record<string, string>
    return [`${code}`, `${origin}: ${detail}`]
  } catch {
    return [`status ${status}`, text.slice(0, 100)]
  }
}

function send(
  port: number,
  path: string,
  body: Buffer,
  agent: Agent | false,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = {
      'x-road-client': CLIENT,
      accept: 'application/problem+json',
      'content-type': 'application/octet-stream',
      'content-length': body.length,
    }
    const options = { host: '127.0.0.1', port, method: 'POST', path: `${PATH}/${path}`, headers }
    const request = httpRequest({ ...options, agent }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () => {
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') })
      })
    })
    request.on('error', reject)
    request.end(body)
  })
}
