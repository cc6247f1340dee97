import { ExchangeError, type ErrorCode } from '../../protocol/errors.ts'
import { CertificateError, parseCertificate, type Certificate } from '../../pki/certificate.ts'
import type { Incoming } from '../exchange-state.ts'

/**
 * The certificate that a caller showed in its handshake, which proved its key and nothing else.
 *
 * @throws ExchangeError `missing` without one; `certificate.untrusted` when it cannot be read.
 */
export function shownCertificate(
  { certificate }: Pick<Incoming, 'certificate'>,
  missing: ErrorCode,
): Certificate {
  if (certificate === undefined) throw new ExchangeError(missing, 'no certificate was shown')
  try {
    return parseCertificate(certificate)
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    throw new ExchangeError('certificate.untrusted', 'the certificate shown cannot be read')
  }
}
