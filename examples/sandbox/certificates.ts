import { existsSync, readFileSync } from 'node:fs'
import { parseCertificates, type Certificate } from '../../pki/certificate.ts'
import { createCsr } from '../../pki/csr.ts'
import type { CertificateIdentity, CertificateKind } from '../../pki/identity.ts'
import { ensureKeyFile } from '../../pki/keys.ts'
import type { ApiClient } from '../../runtime/api-client.ts'
import { writeFileAtomically } from '../../runtime/private-file.ts'
import type { KeyPairFiles } from './config-files.ts'

interface Wanted {
  readonly files: KeyPairFiles
  readonly kind: CertificateKind
  readonly identity: CertificateIdentity
  readonly subjectAltNames?: string[]
  /** Certificates of one enrolment may renew each other's: those of one gateway. */
  readonly enrolment?: string
}

/** A certificate is issued anew when less than this is left of it. */
const RENEWAL_MS = 60 * 24 * 3_600_000

/**
 * Makes a key, if there is none, and has the authority issue a certificate for it, if there is none
 * that will do: the key itself never leaves this machine.
 *
 * @param ocspUrl where the authority answers now: a certificate that names another place is renewed.
 */
export async function ensureCertificate(
  { files, kind, identity, subjectAltNames, enrolment }: Wanted,
  authority: ApiClient,
  ocspUrl: string,
): Promise<Certificate> {
  const held = readHeld(files.certificate)
  const fresh = held && held.notAfter.getTime() - Date.now() > RENEWAL_MS
  if (fresh && held.ocspUrls.includes(ocspUrl) && existsSync(files.key)) return held
  const key = await ensureKeyFile(files.key, 'P-256')
  const names = subjectAltNames ? { subjectAltNames } : {}
  const csr = await createCsr({ identity, key, ...names })
  const { instance: _implied, ...local } = identity
  const issued = await authority.call<{ certificate: string; chain: string }>(
    'POST',
    '/admin/certificates',
    {
      csr: csr.pem,
      kind,
      identity: local,
      ...names,
      ...(enrolment === undefined ? {} : { enrolment }),
    },
  )
  // A server sends its own certificate and those between it and the root (RFC 8446 §4.4.2).
  const [issuing] = parseCertificates(issued.chain)
  writeFileAtomically(files.certificate, `${issued.certificate}${issuing?.pem ?? ''}`)
  return parseCertificates(issued.certificate)[0]!
}

function readHeld(file: string): Certificate | undefined {
  return existsSync(file) ? parseCertificates(readFileSync(file, 'utf8'))[0] : undefined
}
