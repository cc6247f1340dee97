/** The catalogue of a federation of tests. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { RunningAuthority } from '../../pki/authority/server.ts'
import { createLogger } from '../../runtime/logger.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import type { CatalogueConfig } from '../../service-catalogue/config.ts'
import { startCatalogue, type Catalogue } from '../../service-catalogue/server.ts'
import { obtain } from './certificates.ts'
import type { ShiftedClock } from './clock.ts'

export async function openCatalogue(
  instance: string,
  dir: string,
  { authority }: RunningAuthority,
  clock: ShiftedClock,
  overrides: Partial<CatalogueConfig> = {},
): Promise<Catalogue> {
  const tls = await obtain(authority, {
    kind: 'server',
    identity: { instance, memberClass: 'GOV', member: 'OPERATOR' },
  })
  const at = (name: string): string => join(dir, name)
  writeFileSync(at('catalogue.pem'), tls.cert)
  writePrivateFile(at('catalogue.key'), tls.key)
  writeFileSync(at('root.pem'), authority.root.pem)
  return startCatalogueIn(instance, dir, { port: 0, clock, overrides })
}

/** Starts the catalogue on what is in the folder: once more after it was stopped, at the same port. */
export function startCatalogueIn(
  instance: string,
  dir: string,
  {
    port,
    clock,
    overrides = {},
  }: {
    readonly port: number
    readonly clock: ShiftedClock
    readonly overrides?: Partial<CatalogueConfig>
  },
): Promise<Catalogue> {
  const at = (name: string): string => join(dir, name)
  return startCatalogue(
    {
      instance,
      stateDir: at('catalogue'),
      host: '127.0.0.1',
      port,
      tlsCertificateFile: at('catalogue.pem'),
      tlsKeyFile: at('catalogue.key'),
      rootCertificateFile: at('root.pem'),
      snapshotLifetimeHours: 24,
      memberClasses: ['GOV', 'COM'],
      registration: 'open',
      ...overrides,
    },
    { logger: createLogger('test'), clock: clock.now, checkIntervalMs: 50 },
  )
}
