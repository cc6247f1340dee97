import { parseCertificate } from '../pki/certificate.ts'

export interface KeptOcspAnswer {
  /** x5t#S256 of the certificate that it is about (RFC 7515 §4.1.8), base64url. */
  readonly thumbprint: string
  /** RFC 6960 §4.2.2.1. */
  readonly producedAt: Date
  /** DER of the OCSPResponse. */
  readonly der: Buffer
}
/** A time-stamp about one signature (ETSI TS 119 182-1 §5.3.4). */
export interface KeptSignatureStamp {
  /** SHA-256 of what is stamped, base64url. */
  readonly digest: string
  readonly token: Buffer
  readonly genTime: Date
}

/**
 * What signatures were judged by, kept as long as the log: certificates and OCSP answers, so that evidence can be
 * given when the catalogue has forgotten them. Adding what is there changes nothing. Several processes may use it.
 */
export interface ValidationStore extends AsyncDisposable {
  /** Durable when it resolves, all or nothing. @param ders of X.509 certificates. @throws ValidationStoreError */
  keepCertificates(ders: readonly Buffer[]): Promise<void>
  /** @param thumbprint x5t#S256, base64url. */
  certificate(thumbprint: string): Promise<Buffer | undefined>
  /** Certificates with this subject: the candidates for an issuer. @param name DER (RFC 5280 §4.1.2.6). */
  certificatesNamed(name: Buffer): Promise<Buffer[]>
  /** Durable when it resolves. @throws ValidationStoreError */
  keepOcspAnswer(answer: KeptOcspAnswer): Promise<void>
  /** The newest answer that was produced at `at` or before it; else the first after it. */
  ocspAnswer(thumbprint: string, at: Date): Promise<KeptOcspAnswer | undefined>
  /** Durable when it resolves; the first stamp of a digest stays. @throws ValidationStoreError */
  keepSignatureStamp(stamp: KeptSignatureStamp): Promise<void>
  signatureStamp(digest: string): Promise<KeptSignatureStamp | undefined>
}

/** A certificate as stores keep it, to be found by its name. */
export interface CertificateRow {
  readonly thumbprint: string
  /** DER of the subject. */
  readonly subject: Buffer
  readonly der: Buffer
}

/** @throws CertificateError for what is none. */
export function certificateRow(bytes: Buffer): CertificateRow {
  const { thumbprint, subjectDer, der } = parseCertificate(bytes)
  return { thumbprint, subject: subjectDer, der }
}

/** It cannot be kept or found. The message is for the operator. */
export class ValidationStoreError extends Error {
  override readonly name = 'ValidationStoreError'
}
