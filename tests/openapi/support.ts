import { checkAnswer, checkRequest, findOperation } from '../../openapi/check-message.ts'
import { readDescription, type Description } from '../../openapi/description.ts'
import { DescriptionError, type Fault } from '../../openapi/faults.ts'
import type { Finding } from '../../openapi/finding.ts'
import { headerBlock } from '../../protocol/header-block.ts'

/** Processor time, which a busy machine does not lengthen: what takes so much would take many times as much a little later. */
export const HANG_MICROSECONDS = 20_000_000

export type Json = Record<string, unknown>

export function describe31(paths: Json, rest: Json = {}): Json {
  return { openapi: '3.1.0', info: { title: 'Test', version: '1' }, paths, ...rest }
}
export function describe30(paths: Json, rest: Json = {}): Json {
  return { ...describe31(paths, rest), openapi: '3.0.3' }
}

/** A description of `POST /things` that takes and gives JSON of one schema. */
export function describeBody(schema: unknown, openapi = '3.1.0', rest: Json = {}): Json {
  const content = { 'application/json': { schema } }
  const responses = { 200: { description: 'good', content } }
  const post = { requestBody: { required: true, content }, responses }
  return { ...describe31({ '/things': { post } }, rest), openapi }
}

export async function faultsOf(document: unknown): Promise<readonly Fault[]> {
  try {
    await readDescription(document)
  } catch (error) {
    if (error instanceof DescriptionError) return error.faults
    throw error
  }
  return []
}

export interface Message {
  readonly method?: string
  readonly path?: string
  readonly query?: string
  readonly headers?: readonly string[]
  readonly body?: string | Buffer
  readonly status?: number
}

const JSON_TYPE = ['content-type', 'application/json']
const bodyOf = (body: string | Buffer) => {
  const bytes = Buffer.from(body)
  return { size: bytes.length, read: async () => ({ bytes }) }
}

/** Findings as words; `operation` alone when there is no operation. */
export async function judge(description: Description, message: Message): Promise<string[]> {
  const { method = 'POST', path = '/things', query = '', body = '' } = message
  const headers = headerBlock(message.headers ?? (body === '' ? [] : JSON_TYPE))
  const found = findOperation(description, method, path)
  if (found === undefined) return ['operation']
  const { status } = message
  if (status === undefined) {
    return words(await checkRequest(description, found, { query, headers }, bodyOf(body)))
  }
  const answer = { status, headers, isHead: method === 'HEAD' }
  return words(await checkAnswer(description, found.operation, answer, bodyOf(body)))
}

const words = (findings: readonly Finding[]): string[] =>
  findings.map((f) => [f.in, f.place, f.keyword].filter((word) => word !== '').join(' '))
