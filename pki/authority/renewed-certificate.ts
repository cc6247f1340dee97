import { existsSync } from 'node:fs'
import { writeFileAtomically } from '../../runtime/private-file.ts'
import type { Certificate } from '../certificate.ts'
import { readCertificateFile } from './issuers.ts'

/**
 * A certificate of the program itself that never goes stale: the returned function gives the one in
 * force, and replaces it when a third of its life is left. Ask it at every use.
 *
 * @param options.isFitting false for a certificate that must be replaced whatever its age, because
 * key, issuer or names are other ones.
 */
export function createRenewedCertificate(options: {
  readonly file: string
  readonly issue: (at: Date) => Promise<Certificate>
  readonly isFitting: (certificate: Certificate) => boolean
}): (at: Date) => Promise<Certificate> {
  let triedAt = -Infinity
  let running: Promise<void> | undefined
  let current = existsSync(options.file) ? readCertificateFile(options.file) : undefined
  const replace = async (at: Date): Promise<void> => {
    current = await options.issue(at)
    writeFileAtomically(options.file, current.pem)
  }
  return async (at) => {
    if (current !== undefined && !isDue(current, at) && options.isFitting(current)) return current
    const isGood = current !== undefined && isValid(current, at) && options.isFitting(current)
    if (current !== undefined && isGood && at.getTime() - triedAt < RETRY_MS) return current
    triedAt = at.getTime()
    try {
      // One for all who ask at once.
      running ??= replace(at).finally(() => (running = undefined))
      await running
    } catch (error) {
      // One that is still good serves on: a full disk must not take the revocation states away.
      if (!isGood) throw error
    }
    return current!
  }
}

const RETRY_MS = 60_000

function isValid({ notBefore, notAfter }: Certificate, at: Date): boolean {
  return at >= notBefore && at <= notAfter
}

function isDue({ notBefore, notAfter }: Certificate, at: Date): boolean {
  const lifeMs = notAfter.getTime() - notBefore.getTime()
  // A clock that was set back finds a certificate of the future: that one is no use either.
  return at < notBefore || notAfter.getTime() - at.getTime() < lifeMs / 3
}
