import type { JSONSchemaType } from 'ajv'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { TLSSocket } from 'node:tls'
import { ExchangeError, refusedAs, type Origin } from '../../protocol/errors.ts'
import { EXPLAIN_PATH, readSupposedCall, type SupposedCall } from '../../protocol/explanation.ts'
import { headerBlock } from '../../protocol/header-block.ts'
import { GATEWAY_SET, readCallHeaders } from '../../protocol/headers.ts'
import { formatId } from '../../protocol/identifiers.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { toProblem, type Problem } from '../../protocol/problem.ts'
import { bodyParser, type Route } from '../../runtime/admin-api.ts'
import type { Clock } from '../../runtime/clock.ts'
import { newExchangeId } from '../../runtime/exchange-id.ts'
import type { Logger } from '../../runtime/logger.ts'
import {
  json,
  listOf,
  named,
  object,
  oneOf,
  text,
  time,
  whole,
} from '../../runtime/route-description.ts'
import type { Explaining } from '../explain/explain.ts'
import { shownCertificate } from './exchange-server.ts'
import { sendRefusal, type Refusal } from './reply.ts'
import { receiveSmall } from './small-body.ts'

interface Options {
  readonly explaining: Explaining
  readonly clock: Clock
  readonly logger: Logger
  readonly refusal: (problem: Problem, accept: string | undefined) => Refusal
}

/** What the client's gateway is asked beside the call, and the provider's is not. */
interface Beside {
  readonly withProvider?: boolean
  readonly securityServer?: string
}

/** What the description tells; the reader of supposed calls looks closer. */
const parseQuestion = bodyParser<SupposedCall & Beside>({
  type: 'object',
  additionalProperties: false,
  required: ['client', 'method', 'target'],
  properties: {
    client: { type: 'string' },
    method: { type: 'string' },
    target: { type: 'string' },
    purpose: { type: 'string', nullable: true },
    userId: { type: 'string', nullable: true },
    issue: { type: 'string', nullable: true },
    contract: { type: 'string', nullable: true },
    bodySize: { type: 'integer', minimum: 0, nullable: true },
    contentType: { type: 'string', nullable: true },
    hasToken: { type: 'boolean', nullable: true },
    withProvider: { type: 'boolean', nullable: true },
    securityServer: { type: 'string', nullable: true },
  },
} as unknown as JSONSchemaType<SupposedCall & Beside>)
const EXPLANATION = named(
  'Explanation',
  object(
    {
      verdict: oneOf('may', 'may-not', 'unknown'),
      at: time,
      checks: listOf(
        object(
          {
            side: oneOf('client', 'provider'),
            step: text,
            check: text,
            outcome: oneOf('passes', 'refuses', 'not-judged'),
          },
          {
            ...{ detail: text, code: text, move: text, remedy: text, retryAfter: whole },
            basis: { type: 'object' },
          },
        ),
      ),
    },
    { provider: object({ gateway: text }, { snapshot: whole }) },
  ),
)

/** Path on the ports for information systems. */
const CLIENT_PATH = '/explain'

/**
 * `POST /explain` of an information system (protocol/README.md §15): it shows who it is as for a call.
 *
 * @returns false for every other path.
 */
export function answerClientQuestion(
  request: IncomingMessage,
  response: ServerResponse,
  options: Options,
): boolean {
  if (request.url?.split('?', 1)[0] !== CLIENT_PATH) return false
  const answer = async (): Promise<object> => {
    const { explaining, clock } = options
    const { client } = readCallHeaders(headerBlock(request.rawHeaders, GATEWAY_SET))
    const certificate = shownCertificate(request.socket)
    const overTls = request.socket instanceof TLSSocket
    await explaining.verifyClient(client, { certificate, overTls, receivedAt: clock() })
    const given = parseObject(await receiveBody(request))
    if ('client' in given) {
      throw new ExchangeError('request.malformed', '/client: X-Road-Client says it here')
    }
    const { said, ...beside } = readQuestion({ ...given, client: formatId(client) })
    return explaining.explain(said, { isShown: overTls, ...beside })
  }
  reply(answer, request, response, 'client-gateway', options)
  return true
}

/** The question of another gateway (protocol/README.md §15). @returns false for every other path. */
export function answerPeerQuestion(
  request: IncomingMessage,
  response: ServerResponse,
  options: Options,
): boolean {
  if (request.url !== EXPLAIN_PATH) return false
  const certificate = shownCertificate(request.socket)
  const received = { certificate, receivedAt: options.clock() }
  const answer = (): Promise<object> =>
    options.explaining.answerPeer(received, () => receiveBody(request))
  reply(answer, request, response, 'provider-gateway', options)
  return true
}

/** For the administrator, about any client of the gateway. */
export function createExplainRoutes(explaining: Explaining): Route[] {
  return [
    {
      method: 'POST',
      path: '/admin/explain',
      access: 'admin',
      about: {
        summary: 'May a client make a call? Step by step, without making it',
        body: parseQuestion,
        answers: { 200: json(EXPLANATION) },
      },
      handle: async ({ body }) => {
        parseQuestion(body)
        const question = refusedAs('admin.invalid', undefined, () => readQuestion(body))
        const { said, ...beside } = question
        return { body: await explaining.explain(said, { isShown: false, ...beside }) }
      },
    },
  ]
}

function reply(
  answer: () => Promise<object>,
  request: IncomingMessage,
  response: ServerResponse,
  origin: Origin,
  { clock, logger, refusal }: Options,
): void {
  const run = async (): Promise<void> => {
    if (request.method !== 'POST') {
      const detail = `${request.method} is not supported here`
      throw new ExchangeError('request.method-unsupported', detail)
    }
    const body = JSON.stringify(await answer())
    const length = Buffer.byteLength(body)
    const headers = { 'content-type': 'application/json', 'content-length': length }
    response.writeHead(200, headers).end(body)
  }
  run()
    .catch((error: unknown) => {
      const problem = toProblem(error, origin, newExchangeId(clock()))
      const { code, detail, exchangeId: id } = problem
      const line = { id, code, detail }
      if (error instanceof ExchangeError) logger.info(line, 'question about a call refused')
      else logger.error({ ...line, err: error }, 'question about a call failed')
      return sendRefusal(request, response, refusal(problem, request.headers.accept))
    })
    .catch(() => response.destroy())
}

const receiveBody = (request: IncomingMessage): Promise<Buffer> =>
  receiveSmall(request, LIMITS.explainBytes, 'questions about calls')

function parseObject(body: Buffer): object {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body)
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  } catch {
    // Told below: neither UTF-8 nor JSON needs another sentence.
  }
  throw new ExchangeError('request.malformed', 'the body is not a JSON object')
}

/** @throws ExchangeError `request.malformed`. */
function readQuestion(body: unknown): Beside & {
  readonly said: SupposedCall
  readonly withProvider: boolean
} {
  if (typeof body !== 'object' || body === null)
    return { said: readSupposedCall(body), withProvider: true }
  const given = body as Readonly<Record<string, unknown>>
  const { withProvider = true, securityServer, ...said } = given
  if (typeof withProvider !== 'boolean') {
    throw new ExchangeError('request.malformed', '/withProvider is neither true nor false')
  }
  if (securityServer === undefined) return { said: readSupposedCall(said), withProvider }
  if (typeof securityServer !== 'string') {
    throw new ExchangeError('request.malformed', '/securityServer is not a text')
  }
  return { said: readSupposedCall(said), withProvider, securityServer }
}
