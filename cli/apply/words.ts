/** How things and their fields are named to people: without secrets. */
import { CertificateError, parseCertificate } from '../../pki/certificate.ts'
import { textOf } from './section.ts'
import type { Step } from './step.ts'

const LONG = 200

/** `member KH-DEV/GOV/MOI` */
export const nameOf = ({ section, key }: Pick<Step, 'section' | 'key'>): string =>
  section.form === 'single' ? section.word : `${section.word} ${masked(key)}`

/** One field for people, in one line; of what stands in a query of a URL, only that there is one. */
export function show(field: string, value: unknown): string {
  if (value === undefined) return 'none'
  if (field === 'certificates') return (value as string[]).map(certificateName).join(', ') || 'none'
  if (field === 'caCertificates' || field === 'jwks') return 'given'
  if (field === 'description') return `sha256 ${textOf(value)}`
  const text = masked(JSON.stringify(value))
  return text.length > LONG ? `${text.slice(0, LONG)}…` : text
}

/** Receivers of webhooks like to have their password there. */
export const masked = (text: string): string =>
  text.replace(/(https?:\/\/[^\s"?]*)\?[^\s"]*/g, '$1?…')

/** Whose it is, and its thumbprint. */
export function certificateName(pem: string): string {
  try {
    const { subject, thumbprint } = parseCertificate(pem)
    return `${subject} (${thumbprint})`
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    return 'a certificate that cannot be read'
  }
}
