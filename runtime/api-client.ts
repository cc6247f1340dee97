import type { Readable } from 'node:stream'
import { Agent, request, type Dispatcher } from 'undici'
import { ExchangeError, isErrorCode } from '../protocol/errors.ts'
import { isOrigin } from '../protocol/problem.ts'
import { readStep } from '../protocol/refusal.ts'
import { readAtMost } from './http-body.ts'

/** Reaches the admin API of one of our programs. */
export interface ApiClient extends AsyncDisposable {
  /**
   * @returns the parsed JSON answer, undefined when there is none.
   * @throws ApiError when the program cannot be reached or does not answer by its API; ExchangeError
   *   with the program's own code when it refuses, and who it is.
   */
  call<T>(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T>
  /** Gets what is no JSON. The stream fails when it breaks off. @throws as {@link call} does. */
  download(path: string): Promise<Readable>
}

/** A program could not be asked. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
}

const ANSWER_MS = 20_000
/** What is downloaded is made first. */
const DOWNLOAD_MS = 60_000
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

export function createApiClient(api: {
  /** `https://HOST:PORT`, or http for what is public. */
  readonly url: string
  readonly token?: string
  /** PEM root that the program's certificate leads to. */
  readonly ca?: string
  /** Longest wait for an answer to begin, and to go on. */
  readonly answerMs?: number
  /** Told of the position of each change that a catalogue made (`Spean-Change` of its answer). */
  readonly onChange?: (position: number) => void
}): ApiClient {
  const { answerMs = ANSWER_MS } = api
  const agent = new Agent({ connect: { ...(api.ca ? { ca: api.ca } : {}), timeout: 5000 } })
  const ask = (
    method: string,
    path: string,
    body?: unknown,
    wait = answerMs,
  ): Promise<Dispatcher.ResponseData> =>
    request(new URL(path, api.url), {
      dispatcher: agent,
      method: method as 'GET',
      headers: {
        accept: 'application/json, application/problem+json, */*;q=0.1',
        ...(api.token ? { authorization: `Bearer ${api.token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      headersTimeout: wait,
      bodyTimeout: answerMs,
    }).catch((cause: unknown) => {
      const { code, message } = cause as NodeJS.ErrnoException
      throw new ApiError(`${api.url} cannot be reached (${code ?? message})`, { cause })
    })
  const read = async (path: string, answer: Dispatcher.ResponseData): Promise<unknown> => {
    const bytes = await readAtMost(answer.body, MAX_ANSWER_BYTES).catch((cause: unknown) => {
      throw new ApiError(`the answer of ${api.url} broke off`, { cause })
    })
    const change = answer.headers['spean-change']
    if (typeof change === 'string') api.onChange?.(Number(change))
    const value = parse(bytes.toString('utf8'))
    if (answer.statusCode < 400) return value
    throw refusal(value) ?? new ApiError(`${api.url}${path} answered ${answer.statusCode}`)
  }
  return {
    call: async <T>(method: string, path: string, body?: unknown): Promise<T> =>
      (await read(path, await ask(method, path, body))) as T,
    download: async (path) => {
      const answer = await ask('GET', path, undefined, DOWNLOAD_MS)
      if (answer.statusCode >= 400) await read(path, answer)
      return answer.body
    },
    [Symbol.asyncDispose]: () => agent.close(),
  }
}

function parse(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text)
  } catch {
    return text
  }
}

function refusal(value: unknown): ExchangeError | undefined {
  const { code, detail, title, origin, step } = (value ?? {}) as Record<string, unknown>
  if (!isErrorCode(code)) return undefined
  const who = isOrigin(origin) ? { origin } : {}
  const where = readStep(step)
  return Object.assign(
    new ExchangeError(code, String(detail ?? title), who),
    where === undefined ? {} : { step: where },
  )
}

/** A path of encoded segments: `path('/admin/members', 'GOV', 'MOI')`. */
export function apiPath(base: string, ...parts: readonly string[]): string {
  return [base, ...parts.map(encodeURIComponent)].join('/')
}
