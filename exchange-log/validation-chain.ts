import { parseCertificate, type Certificate } from '../pki/certificate.ts'
import { linkSignatureFault } from '../pki/path.ts'
import type { ValidationStore } from './validation-store.ts'

/** Certificates in a chain, as in a path (pki/path.ts). */
const MAX_CHAIN = 6

/**
 * The chain of a kept certificate, from what was kept: each is signed by the next. Nothing else is judged.
 *
 * @param thumbprint x5t#S256 of the leaf, base64url.
 * @param at when the leaf was used: of several authorities of one name and key those that were valid then come first.
 * @returns DER, leaf first, root last; without its root when that was not kept; empty when the leaf was not.
 * @throws ValidationStoreError
 */
export async function chainOf(
  store: Pick<ValidationStore, 'certificate' | 'certificatesNamed'>,
  thumbprint: string,
  at: Date,
): Promise<Buffer[]> {
  const der = await store.certificate(thumbprint)
  if (der === undefined) return []
  let longest: Certificate[] = []

  const climb = async (chain: Certificate[]): Promise<Certificate[] | undefined> => {
    if (chain.length > longest.length) longest = chain
    const child = chain.at(-1)!
    if (isSelfSigned(child)) return chain
    if (chain.length === MAX_CHAIN) return undefined
    const named = (await store.certificatesNamed(child.issuerDer)).map(parseCertificate)
    const issuers = named
      .filter((issuer) => !chain.includes(issuer))
      .filter((issuer) => linkSignatureFault(child, issuer) === undefined)
      .sort((a, b) => Number(isValid(b, at)) - Number(isValid(a, at)))
    for (const issuer of issuers) {
      const complete = await climb([...chain, issuer])
      if (complete !== undefined) return complete
    }
    return undefined
  }
  const complete = await climb([parseCertificate(der)])
  return (complete ?? longest).map((certificate) => certificate.der)
}

const isSelfSigned = (certificate: Certificate): boolean =>
  certificate.subjectDer.equals(certificate.issuerDer) &&
  linkSignatureFault(certificate, certificate) === undefined

const isValid = ({ notBefore, notAfter }: Certificate, at: Date): boolean =>
  at >= notBefore && at <= notAfter
