import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { constants, zstdCompress, zstdDecompress } from 'node:zlib'

/** What came is not compressed as it says. */
export class CompressionError extends Error {
  override readonly name = 'CompressionError'
}

/** RFC 9842 §5: a skippable frame of Zstandard, with the SHA-256 of the dictionary in it. */
const MAGIC = Buffer.from('5e2a4d1820000000', 'hex')
const HEADER_BYTES = MAGIC.length + 32
/** Finds what is the same in a dictionary of megabytes; those below it and long-distance matching find less. */
const DELTA_LEVEL = 9
const MIN_WINDOW_LOG = 17
const MAX_WINDOW_LOG = 26

const compress = promisify(zstdCompress)
const decompress = promisify(zstdDecompress)

export const dictionaryDigest = (dictionary: Uint8Array): Buffer =>
  createHash('sha256').update(dictionary).digest()

/** Content coding `zstd` (RFC 8878), off the event loop. */
export const compressZstd = (bytes: Uint8Array): Promise<Buffer> => compress(bytes)

/** Content coding `dcz` (RFC 9842 §5), off the event loop. */
export async function compressDcz(bytes: Uint8Array, dictionary: Uint8Array): Promise<Buffer> {
  // The dictionary is within reach for as long as the window covers what came after it.
  const covering = Math.ceil(Math.log2(Math.max(bytes.length, 1)))
  const windowLog = Math.min(Math.max(covering, MIN_WINDOW_LOG), MAX_WINDOW_LOG)
  const frame = await compress(bytes, {
    dictionary,
    params: {
      [constants.ZSTD_c_compressionLevel]: DELTA_LEVEL,
      [constants.ZSTD_c_windowLog]: windowLog,
    },
  })
  return Buffer.concat([MAGIC, dictionaryDigest(dictionary), frame])
}

/** @throws CompressionError also when there is more in it than `maxBytes`. */
export function decompressZstd(bytes: Uint8Array, maxBytes: number): Promise<Buffer> {
  return undo(bytes, { maxOutputLength: maxBytes })
}

/** @throws CompressionError as {@link decompressZstd}, and when it was made with another dictionary. */
export async function decompressDcz(
  bytes: Uint8Array,
  dictionary: Uint8Array,
  maxBytes: number,
): Promise<Buffer> {
  const header = Buffer.from(bytes.subarray(0, HEADER_BYTES))
  if (!header.equals(Buffer.concat([MAGIC, dictionaryDigest(dictionary)]))) {
    throw new CompressionError('it was made with another dictionary')
  }
  return undo(bytes.subarray(HEADER_BYTES), { dictionary, maxOutputLength: maxBytes })
}

async function undo(
  bytes: Uint8Array,
  options: { readonly dictionary?: Uint8Array; readonly maxOutputLength: number },
): Promise<Buffer> {
  const params = { [constants.ZSTD_d_windowLogMax]: MAX_WINDOW_LOG }
  try {
    return await decompress(bytes, { ...options, params })
  } catch (cause) {
    throw new CompressionError(`it cannot be undone: ${(cause as Error).message}`, { cause })
  }
}
