/** Checks of certificates, their states, and time-stamps in an archive. */
import { createHash } from 'node:crypto'
import { CertificateError, parseCertificates, type Certificate } from '../../pki/certificate.ts'
import { parseSignedData } from '../../pki/cms-signed-data.ts'
import { DerError } from '../../pki/der.ts'
import { readOcspStatements, verifyOcspResponse } from '../../pki/ocsp-verify.ts'
import { signerOf, verifyPath } from '../../pki/path.ts'
import { toPem } from '../../pki/pem.ts'
import type { Purpose } from '../../pki/purpose.ts'
import { verifyTimeStamp, type TimeStamp } from '../../pki/tsp-verify.ts'
import { parseTstInfo } from '../../pki/tst-info.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { EvidenceError, type EvidenceErrorCode } from './evidence-errors.ts'
import { chainFile, ocspFile, type ChainName } from './layout.ts'
import type { LoadedEvidence } from './loaded.ts'

/** How long after its nextUpdate an answer still shows that a certificate was good: gateways bridge outages. */
export const LATE_MS = 24 * 60 * 60_000

/** Runs what throws errors of other layers, and gives them the code of what was being checked. */
export function asEvidence<T>(code: EvidenceErrorCode, what: string, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    const isOurs =
      cause instanceof ExchangeError ||
      cause instanceof DerError ||
      cause instanceof CertificateError
    if (!isOurs) throw cause
    throw new EvidenceError(code, `${what}: ${cause.message}`, { cause })
  }
}

/**
 * Leaf first; the last is a root, which signed itself.
 *
 * @throws EvidenceError also for anything beside the certificates: what a reader passes over can be made of another.
 */
export function readChain(evidence: LoadedEvidence, chain: ChainName): Certificate[] {
  const name = chainFile(chain)
  const text = evidence.text(name)
  const certificates = asEvidence('evidence.malformed', name, () => parseCertificates(text))
  const root = certificates.at(-1)
  if (
    root === undefined ||
    certificates.map(({ der }) => toPem('CERTIFICATE', der)).join('') !== text
  ) {
    throw new EvidenceError(
      'evidence.malformed',
      `${name} is not certificates in PEM, and nothing else`,
    )
  }
  if (signerOf(root, [root]) !== undefined) return certificates
  const sentence = `${name} ends at ${root.subject}, which is no root: it did not sign itself`
  throw new EvidenceError('evidence.certificate-untrusted', sentence)
}

/** Every certificate of the file leads to the next, and the last is the root. */
export function checkPath(
  file: string,
  chain: readonly Certificate[],
  purpose: Purpose,
  at: Date,
): Certificate[] {
  const path = asEvidence('evidence.certificate-untrusted', file, () =>
    verifyPath(chain[0]!, {
      anchors: chain.slice(-1),
      intermediates: chain.slice(1, -1),
      ...{ at, purpose },
    }),
  )
  if (path.length === chain.length && path.every((one, i) => one === chain[i])) return path
  throw new EvidenceError('evidence.certificate-untrusted', `${file} has certificates out of order`)
}

/**
 * What the answers in the archive say of a chain as of a time. Only a revocation before it counts.
 *
 * @throws EvidenceError
 */
export function checkStates(
  evidence: LoadedEvidence,
  name: ChainName,
  chain: readonly Certificate[],
  at: Date,
): string {
  const states = chain.slice(0, -1).flatMap((certificate, place) => {
    const file = ocspFile(name, place)
    if (!evidence.has(file)) return []
    return checkState(evidence, file, { certificate, issuer: chain[place + 1]! }, at)
  })
  return evidence.has(ocspFile(name, 0)) ? states[0]! : 'whether it was revoked is not known'
}

function checkState(
  evidence: LoadedEvidence,
  file: string,
  about: { readonly certificate: Certificate; readonly issuer: Certificate },
  at: Date,
): string {
  const der = evidence.bytes(file)
  return asEvidence('evidence.certificate-revoked', file, () => {
    const own = readOcspStatements(der).find(({ serial }) => serial === about.certificate.serial)
    // An answer that was given later says of earlier as well that it was good.
    const stated = own !== undefined && own.thisUpdate > at ? own.thisUpdate : at
    const answer = verifyOcspResponse(der, { ...about, at: stated, lateMs: LATE_MS })
    const { status, revokedAt, thisUpdate } = answer
    if (status === 'good') return `not revoked, its authority said at ${thisUpdate.toISOString()}`
    const when = revokedAt?.toISOString() ?? 'a time that it does not say'
    if (revokedAt !== undefined && revokedAt > at) return `revoked at ${when}, which was later`
    throw new EvidenceError(
      'evidence.certificate-revoked',
      `${file}: the certificate had been revoked at ${when}`,
    )
  })
}

/**
 * A token is about these bytes, and made by the holder of the chain.
 *
 * @param file that it is in.
 * @throws EvidenceError
 */
export function checkTimeStamp(
  evidence: LoadedEvidence,
  { file, chain: name }: { readonly file: string; readonly chain: ChainName },
  token: Buffer,
  stamped: Buffer | string,
): TimeStamp {
  const chain = readChain(evidence, name)
  return asEvidence('evidence.time-stamp-invalid', file, () => {
    const { genTime: at } = parseTstInfo(parseSignedData(token).content)
    if (chain.length > 1) checkPath(chainFile(name), chain, 'time-stamping', at)
    checkStates(evidence, name, chain, at)
    const digest = createHash('sha256').update(stamped).digest()
    return verifyTimeStamp(token, { hash: 'sha256', digest, anchors: chain.slice(0, 1), at })
  })
}
