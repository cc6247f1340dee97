import { createHash, type KeyObject } from 'node:crypto'
import type { Certificate } from '../../pki/certificate.ts'
import type { CertificateKind } from '../../pki/identity.ts'
import { exportSpki } from '../../pki/keys.ts'
import { OID } from '../../pki/oids.ts'
import { purposeFault } from '../../pki/purpose.ts'
import { countText } from '../../runtime/count-text.ts'

const UNITS: readonly [ms: number, name: string][] = [
  [86_400_000, 'day'],
  [3_600_000, 'hour'],
  [60_000, 'minute'],
  [1000, 'second'],
]

/** `3 days`, `2 hours`: the largest unit that fits, rounded down. */
export function duration(ms: number): string {
  const length = Math.abs(ms)
  const [unit, name] = UNITS.find(([size]) => length >= size) ?? UNITS.at(-1)!
  const count = Math.floor(length / unit)
  return countText(count, name)
}

/** `364 days left`, `ended 2 hours ago`, `begins in 3 days`. */
export function timeLeft({ notBefore, notAfter }: Certificate, at: Date): string {
  const now = at.getTime()
  if (now < notBefore.getTime()) return `begins in ${duration(notBefore.getTime() - now)}`
  const left = notAfter.getTime() - now
  return left < 0 ? `ended ${duration(left)} ago` : `${duration(left)} left`
}

/** `P-256`, `RSA 2048 bits`. */
export function keyWords(key: KeyObject): string {
  const { modulusLength, namedCurve } = key.asymmetricKeyDetails ?? {}
  const curves: Record<string, string> = { prime256v1: 'P-256', secp384r1: 'P-384' }
  if (namedCurve !== undefined) return curves[namedCurve] ?? namedCurve
  const kind = (key.asymmetricKeyType ?? 'unknown').replace(/^rsa/, 'RSA').replace('ed', 'Ed')
  return modulusLength === undefined ? kind : `${kind} ${modulusLength} bits`
}

/** base64url of SHA-256 over SubjectPublicKeyInfo: the same for a key, its request and its certificate. */
export function keyFingerprint(key: KeyObject): string {
  return createHash('sha256').update(exportSpki(key)).digest('base64url')
}

const PURPOSES: readonly CertificateKind[] = [
  'authentication',
  'signing',
  'information-system',
  'server',
]
const WORDS: Readonly<Record<CertificateKind, string>> = {
  authentication: 'a certificate for authentication between gateways',
  signing: 'a certificate for signing messages of a member',
  'information-system': 'a client certificate of an information system',
  server: 'a certificate of an HTTPS server',
}

/** The purpose here that a certificate serves; undefined for those that serve none. */
export function purposeOf(certificate: Certificate): CertificateKind | undefined {
  return PURPOSES.find((purpose) => purposeFault(certificate, purpose) === undefined)
}

export function certificateWords(certificate: Certificate): string {
  const { isCa, extendedKeyUsage = [], subjectDer, issuerDer } = certificate
  if (isCa && subjectDer.equals(issuerDer)) return 'the certificate of a root authority'
  if (isCa) return 'the certificate of an issuing authority'
  if (extendedKeyUsage.includes(OID.ocspSigning)) return 'the certificate of an OCSP responder'
  if (extendedKeyUsage.includes(OID.timeStamping)) {
    return 'the certificate of a time-stamping authority'
  }
  const purpose = purposeOf(certificate)
  return purpose === undefined
    ? 'a certificate for no purpose of this kind of instance'
    : WORDS[purpose]
}
