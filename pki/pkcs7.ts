import { CertificateError, type Certificate } from './certificate.ts'
export function parseCertsOnly(_der: Uint8Array): Certificate[] {
  throw new CertificateError('not here yet')
}
