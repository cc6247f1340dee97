import type { KeyObject } from 'node:crypto'
import { ExchangeError } from '../../protocol/errors.ts'
import { parseJws, verifyJws } from '../../protocol/jws.ts'
import { CertificateError, parseCertificate } from '../../pki/certificate.ts'
import type { Report } from './finding.ts'
import type { CheckedRecord, LogSource } from './source.ts'

/** Verifies signatures of manifests. */
export interface ManifestCheck {
  check(record: CheckedRecord): Promise<void>
  /** Signatures that were verified. */
  readonly count: number
}

export function createManifestCheck(
  validation: LogSource['validation'],
  report: Report,
): ManifestCheck {
  // Few members sign many manifests: each certificate is read once.
  const keys = new Map<string, KeyObject | undefined>()
  let count = 0

  const load = async (thumbprint: string): Promise<KeyObject | undefined> => {
    const der = await validation.certificate(thumbprint)
    try {
      const certificate = der && parseCertificate(der)
      // Whoever can write to the database can give a certificate another name.
      const key = certificate?.thumbprint === thumbprint ? certificate.publicKey : undefined
      keys.set(thumbprint, key)
      return key
    } catch (error) {
      if (!(error instanceof CertificateError)) throw error
      keys.set(thumbprint, undefined)
      return undefined
    }
  }
  return {
    get count() {
      return count
    },
    check: async ({ position, exchangeId, manifest }) => {
      if (manifest === undefined) return
      try {
        const jws = parseJws(manifest)
        const thumbprint = jws.header['x5t#S256']
        const key = keys.has(thumbprint) ? keys.get(thumbprint) : await load(thumbprint)
        if (key === undefined) {
          const detail = `the certificate ${thumbprint} is not kept`
          report({ code: 'manifest.certificate-missing', position, exchangeId, detail })
          return
        }
        verifyJws(jws, key)
        count += 1
      } catch (error) {
        if (!(error instanceof ExchangeError)) throw error
        const detail = `${error.message} (${error.code})`
        report({ code: 'manifest.signature-invalid', position, exchangeId, detail })
      }
    },
  }
}
