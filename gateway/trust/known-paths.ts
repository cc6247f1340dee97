import type { Certificate } from '../../pki/certificate.ts'
import type { CertificateKind } from '../../pki/identity.ts'
import { verifyPath } from '../../pki/path.ts'
import type { IndexedSnapshot } from '../catalogue/view.ts'

/** Finds the path of a certificate to an approved authority, and remembers it: each exchange asks for four. */
export interface KnownPaths {
  /**
   * @returns the path, leaf first.
   * @throws ExchangeError as {@link verifyPath} does; what is refused is judged anew each time.
   */
  pathOf(
    certificate: Certificate,
    purpose: CertificateKind,
    snapshot: IndexedSnapshot,
    at: Date,
  ): readonly Certificate[]
}

interface Found {
  readonly path: readonly Certificate[]
  /** While every certificate of the path is valid. */
  readonly from: number
  readonly until: number
}

export function createKnownPaths(): KnownPaths {
  // Of one snapshot: the next may approve others.
  let of: IndexedSnapshot | undefined
  let found = new WeakMap<Certificate, Map<CertificateKind, Found>>()
  return {
    pathOf: (certificate, purpose, snapshot, at) => {
      if (snapshot !== of) {
        of = snapshot
        found = new WeakMap()
      }
      const known = found.get(certificate)?.get(purpose)
      const time = at.getTime()
      if (known && time >= known.from && time <= known.until) return known.path
      const { anchors, intermediates } = snapshot
      const path = verifyPath(certificate, { anchors, intermediates, at, purpose })
      const from = Math.max(...path.map(({ notBefore }) => notBefore.getTime()))
      const until = Math.min(...path.map(({ notAfter }) => notAfter.getTime()))
      const byPurpose = found.get(certificate) ?? new Map<CertificateKind, Found>()
      found.set(certificate, byPurpose.set(purpose, { path, from, until }))
      return path
    },
  }
}
