import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { Agent, request, type Dispatcher } from 'undici'
import { ExchangeError, isErrorCode } from '../protocol/errors.ts'
import { readAtMost } from './http-body.ts'

/** Reaches the admin API of one of our programs. */
export interface ApiClient extends AsyncDisposable {
  /**
   * @returns the parsed JSON answer, undefined when there is none.
   * @throws ApiError when the program cannot be reached or does not answer by its API; ExchangeError
   *   with the program's own code when it refuses.
   */
  call<T>(method: 'GET' | 'PUT' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<T>

  /**
   * Writes the body of an answer into a stream as it comes, and ends the stream.
   *
   * @throws as `call` does, ApiError also when the answer broke off: then the stream has a part of it.
   */
  download(path: string, into: Writable): Promise<void>
}

/** A program could not be asked. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
}

const ANSWER_MS = 20_000
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

export function createApiClient(api: {
  /** `https://HOST:PORT`, or http for what is public. */
  readonly url: string
  readonly token?: string
  /** PEM root that the program's certificate leads to. */
  readonly ca?: string
  /** Longest wait for an answer to begin, and to go on. */
  readonly answerMs?: number
}): ApiClient {
  const { answerMs = ANSWER_MS } = api
  const agent = new Agent({ connect: { ...(api.ca ? { ca: api.ca } : {}), timeout: 5000 } })
  const ask = async (
    method: string,
    path: string,
    accept: string,
    body?: unknown,
  ): Promise<Dispatcher.ResponseData> =>
    request(new URL(path, api.url), {
      dispatcher: agent,
      method: method as 'GET',
      headers: {
        accept,
        ...(api.token ? { authorization: `Bearer ${api.token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      headersTimeout: answerMs,
      bodyTimeout: answerMs,
    }).catch((cause: unknown) => {
      const { code, message } = cause as NodeJS.ErrnoException
      throw new ApiError(`${api.url} cannot be reached (${code ?? message})`, { cause })
    })
  const brokeOff = (cause: unknown): never => {
    throw new ApiError(`the answer of ${api.url} broke off`, { cause })
  }
  const read = async (path: string, answer: Dispatcher.ResponseData): Promise<unknown> => {
    const bytes = await readAtMost(answer.body, MAX_ANSWER_BYTES).catch(brokeOff)
    const value = parse(bytes.toString('utf8'))
    if (answer.statusCode < 400) return value
    throw refusal(value) ?? new ApiError(`${api.url}${path} answered ${answer.statusCode}`)
  }
  return {
    call: async <T>(method: string, path: string, body?: unknown): Promise<T> => {
      const accept = 'application/json, application/problem+json'
      return (await read(path, await ask(method, path, accept, body))) as T
    },
    download: async (path, into) => {
      const answer = await ask('GET', path, '*/*')
      if (answer.statusCode >= 400) await read(path, answer)
      await pipeline(answer.body, into).catch((cause: unknown) => {
        // What the file's own stream says of the disk is not the program's fault.
        if (into.errored && into.errored !== answer.body.errored) throw cause
        brokeOff(cause)
      })
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
  const { code, detail, title } = (value ?? {}) as Record<string, unknown>
  return isErrorCode(code) ? new ExchangeError(code, String(detail ?? title)) : undefined
}

/** A path of encoded segments: `path('/admin/members', 'GOV', 'MOI')`. */
export function apiPath(base: string, ...parts: readonly string[]): string {
  return [base, ...parts.map(encodeURIComponent)].join('/')
}
