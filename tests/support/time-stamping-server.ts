/** A time-stamping authority on a port, as gateways meet it: RFC 3161 §3.4 over HTTP. */
import { createServer } from 'node:http'
import type { TimeStamping, TimeStampingOptions } from '../../pki/authority/time-stamping.ts'
import { TIMESTAMP_REPLY } from '../../pki/tsp-request.ts'
import { readAtMost } from '../../runtime/http-body.ts'
import { listen } from '../../runtime/lifecycle.ts'
import { createTsa, type TestTsa } from '../pki/tsp-support.ts'

export interface TimeStampingServer extends AsyncDisposable {
  readonly tsa: TestTsa
  readonly url: string
  /** Requests that came. */
  readonly asked: number
  /** Replaces what answers: undefined answers 503. */
  serve(stamping: TimeStamping | undefined): void
}

export async function startTimeStampingServer(
  changes: Partial<TimeStampingOptions> = {},
): Promise<TimeStampingServer> {
  await using resources = new AsyncDisposableStack()
  const tsa = resources.use(await createTsa())
  let current: TimeStamping | undefined = tsa.open(changes)
  resources.defer(() => current?.[Symbol.dispose]())
  let asked = 0
  const server = createServer((request, response) => {
    asked += 1
    const answer = async (): Promise<void> => {
      const bytes = await readAtMost(request, 65_536)
      const stamping = current
      if (stamping === undefined) response.writeHead(503).end()
      else {
        const reply = await stamping.answer(bytes)
        response.writeHead(200, { 'content-type': TIMESTAMP_REPLY }).end(reply)
      }
    }
    answer().catch(() => response.destroy())
  })
  const { port } = resources.use(await listen(server, 0))
  const owned = resources.move()
  return {
    tsa,
    url: `http://127.0.0.1:${port}/tsp`,
    get asked() {
      return asked
    },
    serve: (stamping) => {
      current?.[Symbol.dispose]()
      current = stamping
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
