import { readFileSync } from 'node:fs'
import { CertificateError, parseCertificates, type Certificate } from '../pki/certificate.ts'
import type { Anchor } from '../protocol/snapshot.ts'
import { ConfigError } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import { writeFileAtomically } from '../runtime/private-file.ts'
import { approvedAuthorities } from './approved-authorities.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { createFileWatch } from './file-watch.ts'
import type { SnapshotKey } from './snapshot-key.ts'

/** `anchor.json`, which an operator carries to the gateways: it is never served. */
export interface AnchorFile {
  readonly file: string
  current(): Anchor
  /** Writes it anew when roots have changed. */
  refresh(): void
}

/** @throws ConfigError when `rootCertificateFile` holds no certificate. */
export function openAnchorFile(deps: {
  readonly file: string
  readonly rootCertificateFile: string
  readonly instance: string
  readonly catalogueUrl: string
  readonly key: SnapshotKey
  readonly db: Database
  readonly logger: Logger
}): AnchorFile {
  const { file, rootCertificateFile, instance, catalogueUrl, key, db, logger } = deps
  const hasChanged = createFileWatch(rootCertificateFile)
  let serverRoots = readRoots(rootCertificateFile)
  let current: Anchor | undefined
  const write = (): Anchor => {
    const roots = [...serverRoots, ...approvedAuthorities(db).anchors]
    const byThumbprint = new Map(roots.map((root) => [root.thumbprint, root.pem]))
    const rootCertificates = [...byThumbprint.values()]
    if (current?.rootCertificates.join() === rootCertificates.join()) return current
    const anchor = { instance, catalogueUrl, keys: [key.publicJwk], rootCertificates }
    writeFileAtomically(file, `${JSON.stringify(anchor, undefined, 2)}\n`)
    return anchor as Anchor
  }
  current = write()
  return {
    file,
    current: () => current!,
    refresh: () => {
      if (hasChanged()) {
        try {
          serverRoots = readRoots(rootCertificateFile)
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error
          logger.warn({ err: error }, 'the new rootCertificateFile is not used')
        }
      }
      current = write()
    },
  }
}

function readRoots(file: string): Certificate[] {
  try {
    const roots = parseCertificates(readFileSync(file, 'utf8'))
    if (roots.length > 0) return roots
  } catch (cause) {
    if (!(cause instanceof CertificateError) && !isSystemError(cause)) throw cause
    throw new ConfigError(`${file}: cannot be read (${cause.message})`, { cause })
  }
  throw new ConfigError(`${file}: holds no certificate in PEM form`)
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'errno' in error
}
