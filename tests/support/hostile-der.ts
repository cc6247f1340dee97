import { encode, sequence } from '../../pki/der-writer.ts'
import type { ErrorCode } from '../../protocol/errors.ts'

/** Where the content begins behind the outermost length. */
const contentStart = (der: Buffer): number => (der[1]! < 0x80 ? 2 : 2 + der[1]! - 0x80)

/** The outermost length with one octet more than it needs. */
function padded(der: Buffer): Buffer {
  const start = contentStart(der)
  const octets = start === 2 ? [der[1]!] : [0, ...der.subarray(2, start)]
  return Buffer.concat([Buffer.of(der[0]!, 0x80 | octets.length, ...octets), der.subarray(start)])
}

const indefinite = (der: Buffer): Buffer =>
  Buffer.concat([Buffer.of(der[0]!, 0x80), der.subarray(contentStart(der)), Buffer.alloc(2)])

/** Sequences in one another, from the inside out. */
function nested(levels: number): Buffer {
  const heads: Buffer[] = []
  for (let length = 0; heads.length < levels; length += heads.at(-1)!.length) {
    heads.push(head(length))
  }
  return Buffer.concat(heads.toReversed())
}

function head(length: number): Buffer {
  if (length < 0x80) return Buffer.of(0x30, length)
  const octets = Buffer.from(length.toString(16).padStart(6, '0'), 'hex')
  const minimal = octets.subarray(octets.findIndex((octet) => octet > 0))
  return Buffer.concat([Buffer.of(0x30, 0x80 | minimal.length), minimal])
}

/** What is done to a good value, and the code by which every decoder refuses what comes of it. */
export const DER_FAULTS: [what: string, ErrorCode, spoil: (der: Buffer) => Buffer][] = [
  ['nothing', 'encoding.truncated', () => Buffer.alloc(0)],
  ['that is cut in half', 'encoding.truncated', (der) => der.subarray(0, der.length / 2)],
  ['without its last byte', 'encoding.truncated', (der) => der.subarray(0, -1)],
  ['with a byte behind it', 'encoding.trailing-bytes', (der) => Buffer.concat([der, Buffer.of(0)])],
  ['twice', 'encoding.trailing-bytes', (der) => Buffer.concat([der, der])],
  ['with a padded length', 'encoding.not-minimal', padded],
  ['of indefinite length', 'encoding.not-minimal', indefinite],
  ['nested too deep', 'encoding.too-deep', () => nested(40)],
  ['nested three thousand times', 'encoding.too-deep', () => nested(3_000)],
  [
    'of four gigabytes, it says',
    'encoding.truncated',
    () => Buffer.from('3084ffffffff3000', 'hex'),
  ],
  [
    'with a length of nine octets',
    'encoding.too-large',
    () => Buffer.from('3089' + '01'.repeat(9), 'hex'),
  ],
  ['of many megabytes', 'encoding.too-large', () => encode(0x30, Buffer.alloc(17 * 1024 * 1024))],
  ['of the right shape and nothing in it', 'encoding.malformed', () => sequence()],
  ['that is no sequence', 'encoding.malformed', () => Buffer.from('0101ff', 'hex')],
]
