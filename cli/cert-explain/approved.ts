import { parseCertificate, parseCertificates, type Certificate } from '../../pki/certificate.ts'
import type { Snapshot, SubjectProfile } from '../../protocol/snapshot.ts'

export interface ApprovedAuthority {
  readonly name: string
  /** Where a path ends. */
  readonly root: Certificate
  readonly intermediates: readonly Certificate[]
  readonly subjectProfile?: SubjectProfile
  readonly ocspNonce: 'required' | 'optional'
  /** False of one that a file names: how it writes subjects, and its other terms, are not known. */
  readonly areTermsKnown: boolean
}

/** Whom the instance believes, as far as that is known here. */
export interface Approved {
  /** In words, for people: `the catalogue at https://…, snapshot 12`. Undefined: nothing is known. */
  readonly source: string | undefined
  readonly authorities: readonly ApprovedAuthority[]
  /** By thumbprint: `gateway KH-DEV/GOV/MOI/GW1`. Undefined: no catalogue could be asked. */
  readonly owners: ReadonlyMap<string, readonly string[]> | undefined
}

export const NOBODY: Approved = { source: undefined, authorities: [], owners: undefined }

/** @throws CertificateError when the catalogue published something unreadable. */
export function approvedBy(snapshot: Snapshot, where: string): Approved {
  const owners = new Map<string, string[]>()
  const add = (owner: string, certificates: readonly string[]): void => {
    for (const { thumbprint } of certificates.map(read)) {
      owners.set(thumbprint, [...(owners.get(thumbprint) ?? []), owner])
    }
  }
  for (const { id, certificates } of snapshot.gateways) add(`gateway ${id}`, certificates)
  for (const { id, signingCertificates } of snapshot.members)
    add(`member ${id}`, signingCertificates)
  for (const { name, certificates } of snapshot.timeStampingAuthorities ?? []) {
    add(`time-stamping authority ${name}`, certificates)
  }
  return {
    source: `the catalogue at ${where}, snapshot ${snapshot.number}`,
    authorities: snapshot.authorities.flatMap(({ name, certificates, ...terms }) => {
      const [root, ...intermediates] = certificates.map(read)
      const { ocspNonce = 'required', ...rest } = terms
      return root ? [{ name, root, intermediates, ...rest, ocspNonce, areTermsKnown: true }] : []
    }),
    owners,
  }
}

const read = (base64: string): Certificate => parseCertificate(Buffer.from(base64, 'base64'))

/**
 * What a file of authorities says: its self-signed certificates are roots, the others stand below them.
 *
 * @throws CertificateError
 */
export function approvedByFile(pem: string, file: string): Approved {
  const certificates = parseCertificates(pem)
  const isRoot = ({ subjectDer, issuerDer }: Certificate): boolean => subjectDer.equals(issuerDer)
  const intermediates = certificates.filter((certificate) => !isRoot(certificate))
  return {
    source: `the file ${file}`,
    authorities: certificates.filter(isRoot).map((root) => ({
      name: root.subject,
      root,
      intermediates,
      ocspNonce: 'optional' as const,
      areTermsKnown: false,
    })),
    owners: undefined,
  }
}
