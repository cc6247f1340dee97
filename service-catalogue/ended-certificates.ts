import type { Certificate } from '../pki/certificate.ts'
import { registeredCertificates } from './approved-authorities.ts'
import type { CatalogueContext } from './context.ts'

const HOUR_MS = 3_600_000
const LOOK_MS = 5000

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
}: Pick<CatalogueContext, 'db' | 'clock' | 'changes'>): () => Promise<void> {
  let looked = -Infinity
  return async () => {
    if (performance.now() - looked < LOOK_MS) return
    looked = performance.now()
    const now = clock().getTime()
    const ended = registeredCertificates(db).filter(
      ({ certificate }) => now - certificate.notAfter.getTime() > keptMs(certificate),
    )
    for (const { certificate, owner, purpose } of ended) {
      const { thumbprint } = certificate
      await changes.remove({
        actor: 'catalogue',
        action: 'remove-certificate',
        subject: `${purpose} certificate ${thumbprint} of ${owner}, ended`,
        read: () => db.get('SELECT thumbprint FROM certificate WHERE thumbprint = ?', thumbprint),
        apply: () => db.run('DELETE FROM certificate WHERE thumbprint = ?', thumbprint),
      })
    }
  }
}
