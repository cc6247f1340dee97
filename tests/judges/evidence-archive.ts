/** Archives of evidence as their files, and files as archives. */
import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { fromBufferPromise } from 'yauzl'
import { ZipFile } from 'yazl'
import { sumsText } from '../../exchange-log/evidence/archive.ts'

/** What is in an archive, by name. */
export async function filesOf(archive: Buffer): Promise<Map<string, Buffer>> {
  const zip = await fromBufferPromise(archive, { lazyEntries: true })
  const files = new Map<string, Buffer>()
  for await (const entry of zip.eachEntry()) {
    files.set(entry.fileName, await buffer(await zip.openReadStreamPromise(entry)))
  }
  return files
}

/** Files and their bytes as an archive: whatever they are, nothing is checked. */
export function pack(files: ReadonlyMap<string, Buffer>): Promise<Buffer> {
  const zip = new ZipFile()
  for (const [name, bytes] of files) zip.addBuffer(bytes, name, { compress: false })
  zip.end()
  return buffer(zip.outputStream as Readable)
}

/** The files with new SHA256SUMS, as whoever alters evidence would make them. */
export function resummed(files: ReadonlyMap<string, Buffer>): Map<string, Buffer> {
  const sums = new Map<string, string>()
  for (const [name, bytes] of files) {
    if (name !== 'SHA256SUMS') sums.set(name, createHash('sha256').update(bytes).digest('hex'))
  }
  return new Map([...files, ['SHA256SUMS', Buffer.from(sumsText(sums))]])
}
