import { ExchangeError } from '../protocol/errors.ts'
import { unambiguousSegments } from '../protocol/target.ts'
import type { HeaderBlock } from '../protocol/header-block.ts'
import { valuesOf } from '../protocol/header-block.ts'
import type { Description } from './description.ts'
import { tellablePointer, type Finding } from './finding.ts'
import {
  chooseMedia,
  contentTypeFinding,
  isJsonType,
  parseMediaType,
  type MediaType,
} from './media-type.ts'
import type { Content, Described, Operation } from './operations.ts'
import { checkHeaders, checkPath, checkQuery } from './request-parameters.ts'
import { readJson } from './strict-json.ts'

/** A body as it can be looked into: its bytes without content coding, or why not. */
export type Readable =
  { readonly bytes: Uint8Array } | { readonly unread: 'size' | 'content-encoding' }

export interface Located {
  /** The bytes that the service gets. */
  readonly path: string
  readonly operation: Operation
  readonly parameters: ReadonlyMap<string, string>
}

/**
 * The operation that a call is for, on the path bytes that the service gets.
 *
 * @returns undefined when the description has none.
 * @throws ExchangeError `access.path-ambiguous`, `request.path-invalid`.
 */
export function findOperation(
  { router }: Description,
  method: string,
  servicePath: string,
): Located | undefined {
  const segments = unambiguousSegments(servicePath)
  const found = router.find(segments)
  // Some services cut a segment at `;`, and would take `/things/mine;x` for `/things/mine`.
  const cut = segments.map((segment) => segment.split(';', 1)[0]!)
  const isOther =
    cut.join('/') !== segments.join('/') && router.find(cut)?.template !== found?.template
  if (isOther) {
    throw new ExchangeError('access.path-ambiguous', 'without what follows ; it is another path')
  }
  const operation = found?.value.get(method)
  return found && operation && { path: servicePath, operation, parameters: found.parameters }
}

/** What path, query, size and media type of a request alone show, of which nothing else is known yet. */
export function checkRequestLine(
  { validators }: Description,
  located: Located,
  message: { readonly query: string; readonly headers: HeaderBlock },
  bodySize: number | undefined,
): Finding[] {
  const { operation } = located
  const findings = [
    ...checkPath(operation.parameters, located, validators),
    ...checkQuery(operation.parameters, message.query, validators),
  ]
  if (bodySize === undefined) return findings
  const fault = bodyFault(operation, bodySize)
  if (fault !== undefined) return [...findings, fault]
  const isTyped = bodySize > 0 && valuesOf(message.headers, 'content-type').length > 0
  const chosen =
    isTyped && operation.body && describedMedia(operation.body.content, message.headers)
  return chosen && 'keyword' in chosen ? [...findings, chosen] : findings
}

/** A body where none is described, or none where one has to be. */
function bodyFault({ body }: Operation, size: number): Finding | undefined {
  if (size > 0)
    return body === undefined ? { in: 'body', place: '', keyword: 'unknown' } : undefined
  return body?.required === true ? { in: 'body', place: '', keyword: 'required' } : undefined
}

/** Where a request is not what the description says. */
export function checkRequest(
  { validators }: Description,
  located: Located,
  message: { readonly query: string; readonly headers: HeaderBlock },
  body: { readonly size: number; read(): Promise<Readable> },
): Promise<Finding[]> | Finding[] {
  const { operation } = located
  const { parameters: described } = operation
  const { headers, query } = message
  const findings = [
    ...checkPath(described, located, validators),
    ...checkQuery(described, query, validators),
    ...checkHeaders(described, (name) => valuesOf(headers, name), validators),
  ]
  const fault = bodyFault(operation, body.size)
  if (fault !== undefined) return [...findings, fault]
  if (body.size === 0 || operation.body === undefined) return findings
  const { content } = operation.body
  return checkBody(content, headers, body, validators).then((more) => [...findings, ...more])
}

/** Where an answer is not what the description says. */
export async function checkAnswer(
  { validators }: Description,
  { answers }: Operation,
  message: { readonly status: number; readonly headers: HeaderBlock; readonly isHead: boolean },
  body: { readonly size: number; read(): Promise<Readable> },
): Promise<Finding[]> {
  const { status, headers, isHead } = message
  const described =
    answers.get(String(status)) ?? answers.get(`${String(status)[0]}XX`) ?? answers.get('default')
  if (described === undefined) return [{ in: 'header', place: '', keyword: 'status' }]
  const values = (name: string): readonly string[] => valuesOf(headers, name)
  const findings = checkHeaders(described.headers, values, validators)
  if (body.size === 0) {
    const hasNone = isHead || status === 204 || status === 304 || described.content === undefined
    return hasNone ? findings : [...findings, { in: 'body', place: '', keyword: 'required' }]
  }
  if (described.content === undefined) {
    return [...findings, { in: 'body', place: '', keyword: 'unknown' }]
  }
  return [...findings, ...(await checkBody(described.content, headers, body, validators))]
}

/** The media type of a message; undefined when it names none, or more than one. */
export function mediaTypeOf(headers: HeaderBlock): MediaType | undefined {
  const values = valuesOf(headers, 'content-type')
  return values.length === 1 ? parseMediaType(values[0]!) : undefined
}

/** What the description has for the media type of a message, or why it has nothing. */
function describedMedia(
  content: Content,
  headers: HeaderBlock,
): Finding | { readonly media: MediaType; readonly described: Described } {
  const media = mediaTypeOf(headers)
  if (media === undefined) {
    const count = valuesOf(headers, 'content-type').length
    return contentTypeFinding(count > 1 ? 'duplicate' : 'content-type')
  }
  const described = chooseMedia(content, media.type)
  return described === undefined ? contentTypeFinding('content-type') : { media, described }
}

async function checkBody(
  content: Content,
  headers: HeaderBlock,
  body: { read(): Promise<Readable> },
  validators: Description['validators'],
): Promise<Finding[]> {
  const chosen = describedMedia(content, headers)
  if ('keyword' in chosen) return [chosen]
  const { media, described } = chosen
  if (!isJsonType(media.type)) return []
  if (media.charset !== undefined && media.charset !== 'utf-8') {
    return [contentTypeFinding('charset')]
  }
  const readable = await body.read()
  if ('unread' in readable) return [{ in: 'body', place: '', keyword: readable.unread }]
  const reading = readJson(readable.bytes)
  if (!reading.ok) {
    const place = tellablePointer(reading.pointer, validators.names)
    return [{ in: 'body', place, keyword: reading.fault }]
  }
  if (described.schema === undefined) return []
  return validators
    .check(described.schema, reading.value, readable.bytes.length)
    .map((finding) => ({ in: 'body', ...finding }))
}
