import { createHash } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CertID } from '@peculiar/asn1-ocsp'
import { decodeAsn } from '../../pki/asn1.ts'
import { parseCertificate, parseCertificates } from '../../pki/certificate.ts'
import { parseSignedData } from '../../pki/cms-signed-data.ts'
import { parseCrl, verifyCrl } from '../../pki/crl.ts'
import { parseCsr } from '../../pki/csr.ts'
import { DerError, parseDer } from '../../pki/der.ts'
import { parseOcspRequest } from '../../pki/ocsp-request.ts'
import { verifyOcspResponse } from '../../pki/ocsp-verify.ts'
import { verifyPath } from '../../pki/path.ts'
import { parseCertsOnly } from '../../pki/pkcs7.ts'
import { recogniseDer } from '../../pki/recognise.ts'
import { hashBytes } from '../../pki/tsp-hash.ts'
import { parseTspRequest } from '../../pki/tsp-request.ts'
import { CATALOGUE_DECODERS } from './catalogue-decoders.ts'
import { EVIDENCE_DECODERS } from './evidence-decoders.ts'
import { verifyTimeStamp } from '../../pki/tsp-verify.ts'
import { encodeTstInfo, parseTstInfo } from '../../pki/tst-info.ts'
import { parseCheckpoint, verifyCosignature } from '../../protocol/checkpoint.ts'
import { parseTilePath, tilePath } from '../../protocol/merkle-tree.ts'
import { parseVkey, verifyNote } from '../../protocol/signed-note.ts'
import { judgeCosignatures, parsePolicy } from '../../protocol/tlog-policy.ts'
import { parseTlogProof, verifyTlogProof } from '../../protocol/tlog-proof.ts'

/** A reader of what anybody may have written: it ends in a value or in an error with a code. */
export interface Decoder {
  /** Files that it accepts, or nearly; what is tried begins with them. */
  readonly seeds: readonly Buffer[]
  /** May resolve later; what it returns is not looked at. */
  readonly decode: (bytes: Buffer) => unknown
}

export type Decoders = Readonly<Record<string, Decoder>>

const SEEDS = join(import.meta.dirname, 'seeds')
const seed = (file: string): Buffer => readFileSync(join(SEEDS, file))
const seedsOf = (pattern: string): Buffer[] =>
  globSync(pattern, { cwd: SEEDS }).toSorted().map(seed)

const [issuing, leaf] = ['certificate-issuing.der', 'certificate-leaf.der'].map((file) =>
  parseCertificate(seed(file)),
) as [ReturnType<typeof parseCertificate>, ReturnType<typeof parseCertificate>]
const at = new Date(leaf.notBefore.getTime() + 60 * 60_000)

// RFC 3161 §2.4.2: an answer is a status and a token, of which the rejected one has none.
const tokens = seedsOf('tsp-response-*.der').flatMap((response) =>
  parseDer(response)
    .children.slice(1)
    .map(({ encoded }) => encoded),
)
const stamps = tokens.map(parseSignedData)
// What the seeds stamp, when, and whose they are: a decoder gets to their signatures and their paths.
const stamped = {
  hash: 'sha256',
  digest: createHash('sha256').update('x').digest(),
  anchors: stamps.flatMap(({ certificates }) => certificates),
  at: parseTstInfo(stamps[0]!.content).genTime,
} as const

/** Every decoder of bytes that others write. A new one gets a row here, and seeds in `seeds/`. */
export const DECODERS: Decoders = {
  certificate: { seeds: seedsOf('certificate-*.der'), decode: decodeCertificate },
  csr: { seeds: seedsOf('csr-*.der'), decode: parseCsr },
  'ocsp-request': { seeds: seedsOf('ocsp-request-*.der'), decode: decodeOcspRequest },
  'ocsp-response': {
    seeds: seedsOf('ocsp-response-*.der'),
    decode: (bytes) => verifyOcspResponse(bytes, { certificate: leaf, issuer: issuing, at }),
  },
  crl: {
    seeds: seedsOf('crl-*.der'),
    decode: (bytes) => verifyCrl(parseCrl(bytes), issuing, at),
  },
  pkcs7: { seeds: seedsOf('pkcs7-*.der'), decode: parseCertsOnly },
  'tsp-request': { seeds: seedsOf('tsp-request-*.der'), decode: decodeTspRequest },
  'tsp-response': {
    seeds: [...seedsOf('tsp-response-*.der'), ...tokens],
    decode: (bytes) => verifyTimeStamp(bytes, stamped),
  },
  'signed-data': { seeds: tokens, decode: decodeSignedData },
  'tst-info': { seeds: stamps.map(({ content }) => content), decode: parseTstInfo },
  pem: {
    seeds: [leaf, issuing].map(({ pem }) => Buffer.from(pem)),
    decode: (bytes) => parseCertificates(bytes.toString('latin1')),
  },
  vkey: { seeds: seedsOf('vkey-*.txt'), decode: (bytes) => parseVkey(bytes.toString()) },
  note: { seeds: seedsOf('note-*.txt'), decode: decodeNote },
  'tlog-policy': { seeds: seedsOf('policy-*.txt'), decode: decodePolicy },
  'tlog-proof': { seeds: seedsOf('proof-*.txt'), decode: decodeProof },
  'tile-path': { seeds: seedsOf('tile-*.txt'), decode: decodeTilePath },
  recognise: { seeds: seedsOf('*.der'), decode: recogniseDer },
  ...EVIDENCE_DECODERS,
  ...CATALOGUE_DECODERS,
}

function decodeCertificate(bytes: Buffer): void {
  const certificate = parseCertificate(bytes)
  const path = { anchors: [issuing], intermediates: [certificate], at }
  verifyPath(certificate, { ...path, purpose: 'authentication' })
}

/** What was read is written again in the answer: a responder must be able to. */
function decodeOcspRequest(bytes: Buffer): void {
  for (const { encoded } of parseOcspRequest(bytes).certIds) {
    try {
      decodeAsn(encoded, CertID)
    } catch (cause) {
      if (cause instanceof DerError) throw new TypeError('a CertID cannot be repeated', { cause })
      throw cause
    }
  }
}

/** What a time-stamping authority grants, it repeats in the token. */
function decodeTspRequest(bytes: Buffer): void {
  const { imprint, nonce } = parseTspRequest(bytes)
  if (imprint.hash === undefined || imprint.digest.length !== hashBytes(imprint.hash)) return
  const token = { policy: '2.25.1', serial: Buffer.of(1), genTime: stamped.at, accuracyMs: 1000 }
  const encoded = encodeTstInfo({ ...token, imprint: imprint.encoded, nonce })
  const repeated = parseTstInfo(encoded)
  if (!repeated.imprint.encoded.equals(imprint.encoded)) {
    throw new TypeError('an imprint is not repeated as it came')
  }
  if (nonce !== undefined && repeated.nonce?.equals(nonce) !== true) {
    throw new TypeError('a nonce is not repeated as it came')
  }
}

function decodeSignedData(bytes: Buffer): void {
  const { faultUnder, isSigner } = parseSignedData(bytes)
  for (const certificate of stamped.anchors) {
    isSigner(certificate)
    faultUnder(certificate)
  }
}

const text = (file: string): string => seed(file).toString()

/** As a log is checked: its checkpoint, and every signature as a cosignature. */
function decodeNote(bytes: Buffer): void {
  const { note } = parseCheckpoint(bytes.toString())
  verifyNote(note, [parseVkey(text('vkey-log.txt'))])
  const witness = parseVkey(text('vkey-witness.txt'))
  const cosignature = note.signatures.find(({ name }) => name === witness.name)
  if (cosignature) verifyCosignature(note.text, cosignature, witness)
}

function decodePolicy(bytes: Buffer): void {
  judgeCosignatures(parseCheckpoint(text('note-cosigned.txt')), parsePolicy(bytes.toString()))
}

function decodeProof(bytes: Buffer): void {
  verifyTlogProof(parseTlogProof(bytes.toString()), Buffer.alloc(32))
}

function decodeTilePath(bytes: Buffer): void {
  const path = bytes.toString()
  const read = parseTilePath(path)
  if (read && tilePath(read.level, read.index, read.width) !== path) {
    throw new TypeError('a path of a tile has two spellings')
  }
}
