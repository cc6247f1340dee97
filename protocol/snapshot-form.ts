import { ExchangeError } from './errors.ts'

/** A signed snapshot with its payload as it is, beside header and signature (protocol/README.md §7.9). */
export const PLAIN_SNAPSHOT_TYPE = 'application/vnd.spean.snapshot'

/**
 * The plain form of a snapshot: `HEADER..SIGNATURE` (RFC 7515 appendix F), a line feed, the bytes of the payload.
 *
 * @param jws compact JWS.
 */
export function toPlainSnapshot(jws: string): Buffer {
  const [header, payload = '', signature] = jws.split('.')
  const line = Buffer.from(`${header}..${signature}\n`, 'ascii')
  return Buffer.concat([line, Buffer.from(payload, 'base64url')])
}

/**
 * The compact JWS behind a plain form; nothing is verified yet.
 *
 * @throws ExchangeError `catalogue.unavailable` when there is none.
 */
export function fromPlainSnapshot(plain: Uint8Array): string {
  const bytes = Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength)
  const end = bytes.indexOf('\n')
  const line = bytes.subarray(0, Math.max(end, 0)).toString('latin1')
  const parts = /^([\w-]+)\.\.([\w-]+)$/.exec(line)
  if (parts === null) {
    throw new ExchangeError('catalogue.unavailable', 'the snapshot has no header and signature')
  }
  return `${parts[1]}.${bytes.subarray(end + 1).toString('base64url')}.${parts[2]}`
}
