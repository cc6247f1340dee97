import { readFileSync } from 'node:fs'
import type { Server } from 'node:https'
import { createSecureContext } from 'node:tls'
import { ConfigError } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import { readPrivateFile } from '../runtime/private-file.ts'
import type { CatalogueConfig } from './config.ts'
import { createFileWatch } from './file-watch.ts'

export interface TlsCredentials {
  /** PEM chain. */
  readonly cert: string
  readonly key: string
}

type Files = Pick<CatalogueConfig, 'tlsCertificateFile' | 'tlsKeyFile'>

/** @throws ConfigError when a file cannot be read, or the key is not the one of the certificate. */
export function readTlsCredentials({ tlsCertificateFile, tlsKeyFile }: Files): TlsCredentials {
  const key = readPrivateFile(tlsKeyFile)
  try {
    const cert = readFileSync(tlsCertificateFile, 'utf8')
    createSecureContext({ cert, key })
    return { cert, key }
  } catch (cause) {
    const why = (cause as Error).message
    throw new ConfigError(`${tlsCertificateFile} with ${tlsKeyFile}: cannot be used (${why})`, {
      cause,
    })
  }
}

/** @returns a check that gives `server` the new credentials when the files have changed. */
export function createTlsRenewal(server: Server, files: Files, logger: Logger): () => void {
  const hasChanged = createFileWatch(files.tlsCertificateFile, files.tlsKeyFile)
  return () => {
    if (!hasChanged()) return
    try {
      // What is not said again goes back to Node's default.
      server.setSecureContext({ ...readTlsCredentials(files), minVersion: 'TLSv1.3' })
      logger.info('certificate of the server renewed')
    } catch (error) {
      // Certificate and key are two files: between them the pair does not fit
      if (!(error instanceof ConfigError)) throw error
      logger.warn({ err: error }, 'the new tlsCertificateFile is not used yet')
    }
  }
}
