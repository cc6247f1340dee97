import type { Certificate } from '../pki/certificate.ts'
import { registeredCertificates } from './approved-authorities.ts'
import type { CatalogueContext } from './context.ts'

const HOUR_MS = 3_600_000

/** How long an ended certificate stays listed: exchanges that are under way may still show it. */
function keptMs({ notBefore, notAfter }: Certificate): number {
  return Math.min(HOUR_MS, (notAfter.getTime() - notBefore.getTime()) / 3)
}

/**
 * A check that takes certificates out of the catalogue that ended a while ago, so that those of gateways
 * that renew themselves do not pile up.
 */
export function createEndedCertificates({
  db,
  clock,
  changes,
  publisher,
}: Pick<CatalogueContext, 'db' | 'clock' | 'changes' | 'publisher'>): () => Promise<void> {
  /** In which snapshot it looked, and when one of its certificates has to go: all are read only then. */
  let looked: { readonly number: number; readonly nextAt: number } | undefined
  return async () => {
    const now = clock().getTime()
    const { number } = publisher.current()
    if (looked?.number === number && now < looked.nextAt) return
    const listed = registeredCertificates(db).map((entry) => {
      const { certificate } = entry
      return { ...entry, goneAt: certificate.notAfter.getTime() + keptMs(certificate) }
    })
    for (const { certificate, owner, purpose } of listed.filter(({ goneAt }) => goneAt < now)) {
      const { thumbprint } = certificate
      await changes.remove({
        actor: 'catalogue',
        action: 'remove-certificate',
        subject: `${purpose} certificate ${thumbprint} of ${owner}, ended`,
        read: () => db.get('SELECT thumbprint FROM certificate WHERE thumbprint = ?', thumbprint),
        apply: () => db.run('DELETE FROM certificate WHERE thumbprint = ?', thumbprint),
      })
    }
    const times = listed.map(({ goneAt }) => goneAt).filter((goneAt) => goneAt >= now)
    looked = { number, nextAt: Math.min(...times, Infinity) }
  }
}
