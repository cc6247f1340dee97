import { ExchangeError } from '../../protocol/errors.ts'
import type { Certificate } from '../../pki/certificate.ts'
import type { CertificateKind } from '../../pki/identity.ts'
import { verifyPath } from '../../pki/path.ts'
import type { IndexedSnapshot } from '../catalogue/view.ts'
import type { Trust } from '../ports.ts'
import type { OcspCache } from './ocsp-cache.ts'

/** Trust as the newest snapshot gives it: its approved authorities, and what they say by OCSP. */
export function createTrust(deps: {
  readonly snapshot: () => IndexedSnapshot | undefined
  readonly ocsp: OcspCache
}): Trust & {
  /** Fetches the states of everything in a snapshot ahead of their use. */
  prefetch(snapshot: IndexedSnapshot, own: readonly Certificate[], at: Date): void
} {
  const pathOf = (certificate: Certificate, purpose: CertificateKind, at: Date): Certificate[] => {
    const snapshot = deps.snapshot()
    if (snapshot === undefined) {
      throw new ExchangeError('catalogue.unavailable', 'no snapshot names the approved authorities')
    }
    const { anchors, intermediates } = snapshot
    return verifyPath(certificate, {
      anchors: [...anchors],
      intermediates: [...intermediates],
      at,
      purpose,
    })
  }
  return {
    verify: async (certificate, purpose, at) => {
      const [, issuer] = pathOf(certificate, purpose, at)
      if (issuer) await deps.ocsp.check(certificate, issuer, at) // a path has two certificates at least
    },
    prefetch: (snapshot, own, at) => {
      const pairs = [...own, ...snapshot.certificates].flatMap((certificate) => {
        const issuer = issuerOf(certificate, pathOf, at)
        return issuer ? [{ certificate, issuer }] : []
      })
      deps.ocsp.follow(pairs)
    },
  }
}

/** The issuer, when the certificate is good at all: an expired one needs no revocation state. */
function issuerOf(
  certificate: Certificate,
  pathOf: (certificate: Certificate, purpose: CertificateKind, at: Date) => Certificate[],
  at: Date,
): Certificate | undefined {
  const purpose = certificate.extendedKeyUsage === undefined ? 'signing' : 'authentication'
  try {
    return pathOf(certificate, purpose, at)[1]
  } catch (error) {
    if (error instanceof ExchangeError) return undefined
    throw error
  }
}
