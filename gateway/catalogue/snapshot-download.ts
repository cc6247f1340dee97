import { readFile } from 'node:fs/promises'
import { ExchangeError } from '../../protocol/errors.ts'
import { LIMITS } from '../../protocol/limits.ts'
import {
  fromPlainSnapshot,
  PLAIN_SNAPSHOT_TYPE,
  toPlainSnapshot,
} from '../../protocol/snapshot-form.ts'
import {
  CompressionError,
  decompressDcz,
  decompressZstd,
  dictionaryDigest,
} from '../../runtime/dictionary-zstd.ts'

type Headers = Readonly<Record<string, string | string[] | undefined>>

/** How a snapshot travels: as what is new in it, where the catalogue has what we have (protocol/README.md §7.9). */
export interface SnapshotDownload {
  /** To be sent with the question. */
  headers(): Record<string, string>
  /**
   * The compact JWS in an answer; nothing of it is verified. Undefined: it is the one that was accepted last.
   *
   * @param bytes at most `LIMITS.snapshotBytes`.
   * @throws ExchangeError `catalogue.unavailable` for a form that cannot be read; the next question is for the whole.
   */
  read(headers: Headers, bytes: Buffer): Promise<string | undefined>
  /** A snapshot was accepted and is in the file. */
  keep(jws: string): void
  /** The one that was accepted counts no longer. */
  drop(): void
}

const digestOf = (plain: Buffer): string => dictionaryDigest(plain).toString('base64')

/** @param file the last good snapshot: what the next one is told from. */
export function createSnapshotDownload(file: string): SnapshotDownload {
  let digest: string | undefined
  /** An answer was told from what we have, and it is not accepted yet. */
  let isOnTrial = false
  const decode = async (coding: string, bytes: Buffer): Promise<Buffer> => {
    if (coding === 'identity') return bytes
    if (coding === 'zstd') return decompressZstd(bytes, LIMITS.snapshotBytes)
    if (coding !== 'dcz') throw new CompressionError(`its coding is ${coding}`)
    isOnTrial = true
    const base = toPlainSnapshot(await readFile(file, 'ascii').catch(() => ''))
    return decompressDcz(bytes, base, LIMITS.snapshotBytes)
  }
  return {
    headers: () => {
      const isKnown = digest !== undefined && !isOnTrial
      return {
        accept: `${PLAIN_SNAPSHOT_TYPE}, application/jose;q=0.5`,
        'accept-encoding': isKnown ? 'dcz, zstd' : 'zstd',
        ...(isKnown ? { 'available-dictionary': `:${digest}:` } : {}),
      }
    },
    read: async (headers, bytes) => {
      try {
        const content = await decode(String(headers['content-encoding'] ?? 'identity'), bytes)
        // A catalogue that knows one form only does not look at what is accepted.
        const isPlain = headers['content-type'] === PLAIN_SNAPSHOT_TYPE
        if (isPlain && digest === digestOf(content)) {
          isOnTrial = false
          return undefined
        }
        const jws = isPlain ? fromPlainSnapshot(content) : content.toString('latin1')
        if (jws.length <= LIMITS.snapshotBytes) return jws
        throw new CompressionError(`it is longer than ${LIMITS.snapshotBytes} bytes`)
      } catch (cause) {
        if (!(cause instanceof CompressionError)) throw cause
        const detail = `the snapshot cannot be read: ${cause.message}`
        throw new ExchangeError('catalogue.unavailable', detail, { cause })
      }
    },
    keep: (jws) => {
      digest = digestOf(toPlainSnapshot(jws))
      isOnTrial = false
    },
    drop: () => {
      digest = undefined
    },
  }
}
