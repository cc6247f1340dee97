/** Bodies of an API: taken where one belongs, and read in one way only. */
import express, { type Request, type RequestHandler, type Response } from 'express'
import { ExchangeError } from '../protocol/errors.ts'

const MAX_JSON_BYTES = 10 * 1024 * 1024
const MAX_RAW_BYTES = 64 * 1024
/** What walks a body by recursion goes so deep without running out of stack. */
const MAX_DEPTH = 1000

const takesNothing: RequestHandler = (_request, _response, next) => next()

/** Bodies are read as they are: ten compressed kilobytes may be ten megabytes. */
export function readBodies(route: {
  readonly method: string
  readonly rawBody?: string
}): RequestHandler[] {
  const { method, rawBody } = route
  if (method === 'GET' || method === 'DELETE') return [takesNothing]
  if (rawBody !== undefined) {
    const type = rawBody === '*' ? () => true : rawBody
    return [express.raw({ type, limit: MAX_RAW_BYTES, inflate: false })]
  }
  return [express.raw({ type: () => true, limit: MAX_JSON_BYTES, inflate: false }), readJson]
}

/** Without a body there is none, whatever its type. */
function readJson(request: Request, _response: Response, next: () => void): void {
  const bytes: unknown = request.body
  request.body = undefined
  if (Buffer.isBuffer(bytes) && bytes.length > 0) {
    const type = request.headers['content-type'] ?? 'what is not named'
    // JSON is UTF-8 (RFC 8259 §8.1), whatever else a parameter says
    if (!/^application\/json *(; *charset="?utf-8"? *)?$/i.test(type)) {
      const detail = `send application/json in UTF-8, not ${type}`
      throw new ExchangeError('validation.content-type', detail)
    }
    request.body = parseJson(bytes)
  }
  next()
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function parseJson(bytes: Uint8Array): unknown {
  let text: string
  let value: unknown
  try {
    text = UTF8.decode(bytes)
    value = JSON.parse(text)
  } catch (cause) {
    throw new ExchangeError('request.malformed', 'the body is not JSON in UTF-8', { cause })
  }
  refuseAmbiguous(text)
  return value
}

/**
 * Of a name that stands twice in an object, readers take the first, the last or neither (RFC 8259 §4).
 *
 * @param text JSON.
 */
function refuseAmbiguous(text: string): void {
  /** Names of each object that is open; undefined for an array. */
  const open: (Set<string> | undefined)[] = []
  let string = ''
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (character === '"') {
      const end = endOfString(text, at)
      string = text.slice(at, end)
      at = end - 1
    } else if (character === ':') refuseSecond(JSON.parse(string) as string, open.at(-1))
    else if (character === '{' || character === '[') {
      open.push(character === '{' ? new Set() : undefined)
      if (open.length <= MAX_DEPTH) continue
      throw new ExchangeError('admin.invalid', `the body is nested deeper than ${MAX_DEPTH} levels`)
    } else if (character === '}' || character === ']') open.pop()
  }
}

function refuseSecond(name: string, names: Set<string> | undefined): void {
  if (names?.has(name)) {
    const shown = JSON.stringify(name.slice(0, 50))
    throw new ExchangeError('request.malformed', `${shown} stands twice in an object of the body`)
  }
  names?.add(name)
}

/** @returns the place behind its closing quote. */
function endOfString(text: string, start: number): number {
  let at = start + 1
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1
  return at + 1
}

/** Body parsers throw errors with an HTTP status of their own (express, http-errors). */
export function fromBodyParser(error: unknown): unknown {
  const status = (error as { status?: unknown }).status
  if (error instanceof ExchangeError || typeof status !== 'number') return error
  if (status === 413)
    return new ExchangeError('request.body-too-large', 'the body is too large here')
  if (status < 500)
    return new ExchangeError('request.malformed', 'the request cannot be read', { cause: error })
  return error
}
