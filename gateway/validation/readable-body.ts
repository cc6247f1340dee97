import { buffer } from 'node:stream/consumers'
import { promisify } from 'node:util'
import { brotliDecompress, gunzip, inflate, type ZlibOptions } from 'node:zlib'
import { valuesOf, type HeaderBlock } from '../../protocol/header-block.ts'
import { LIMITS } from '../../protocol/limits.ts'
import type { Readable } from '../../openapi/check-message.ts'
import type { SpooledBody } from '../../runtime/spool.ts'

type Decode = (bytes: Buffer, options: ZlibOptions) => Promise<Buffer>
const CODINGS: Record<string, Decode> = {
  gzip: promisify<Buffer, ZlibOptions, Buffer>(gunzip),
  'x-gzip': promisify<Buffer, ZlibOptions, Buffer>(gunzip),
  deflate: promisify<Buffer, ZlibOptions, Buffer>(inflate),
  br: promisify<Buffer, ZlibOptions, Buffer>(brotliDecompress),
}

/** Content codings of a message (RFC 9110 §8.4), without `identity`. */
export function codingsOf(headers: HeaderBlock): string[] {
  return valuesOf(headers, 'content-encoding')
    .flatMap((value) => value.split(','))
    .map((coding) => coding.trim().toLowerCase())
    .filter((coding) => coding !== '' && coding !== 'identity')
}

/**
 * A body as it is looked into: without its content coding, which is handed on untouched. Neither what was sent nor
 * what it unpacks to is larger than the limit.
 */
export async function readable(body: SpooledBody, headers: HeaderBlock): Promise<Readable> {
  const maxOutputLength = LIMITS.validatedBodyBytes
  if (body.size > maxOutputLength) return { unread: 'size' }
  const bytes = body.bytes ?? (await buffer(body.open()))
  const [coding, ...more] = codingsOf(headers)
  if (coding === undefined) return { bytes }
  const decode = more.length === 0 && Object.hasOwn(CODINGS, coding) ? CODINGS[coding] : undefined
  if (decode === undefined) return { unread: 'content-encoding' }
  try {
    return { bytes: await decode(bytes, { maxOutputLength }) }
  } catch (error) {
    const isTooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
    return { unread: isTooLarge ? 'size' : 'content-encoding' }
  }
}
