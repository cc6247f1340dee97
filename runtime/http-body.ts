import type { Readable } from 'node:stream'

/** A body was longer than its reader takes. */
export class BodyTooLongError extends Error {
  override readonly name = 'BodyTooLongError'
}

/** Reads a small body whole. @throws BodyTooLongError beyond `maxBytes`; the stream is destroyed. */
export async function readAtMost(stream: Readable, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) throw new BodyTooLongError(`the body is longer than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
