import { readFileSync, statSync } from 'node:fs'
import { CertificateError } from '../../pki/certificate.ts'
import { DerError } from '../../pki/der.ts'
import { ConfigError } from '../../runtime/config.ts'
import type { Certificate } from '../../pki/certificate.ts'
import type { Approved } from './approved.ts'
import { explainCertificate } from './explain-certificate.ts'
import { explainOther } from './explain-other.ts'
import { joinParts, wrong, type Explanation, type Part } from './explanation.ts'
import { readMaterial, type Material } from './material.ts'
import { readServer, type ServerTarget } from './tls-server.ts'
import { certificateWords } from './words.ts'

export interface ExplainContext {
  readonly approved: Approved
  /** As of when everything is judged. */
  readonly at: Date
}

/** @throws ConfigError when there is no such file. */
export async function explainFile(file: string, context: ExplainContext): Promise<Explanation> {
  const { bytes, mode } = readBytes(file)
  let material: Material
  try {
    material = readMaterial(bytes)
    if (material.form === 'nothing') {
      const { what, remedy } = material
      return joinParts(file, what, [
        { findings: [wrong(`It is ${what}, and no certificate.`, remedy)] },
      ])
    }
    if (material.form === 'other') {
      return joinParts(file, material.kind, [explainOther(material, { ...context, mode })])
    }
  } catch (error) {
    return unreadable(file, error)
  }
  const certificates = leafFirst(material.certificates)
  const shown = { certificates, from: 'in the file' }
  const what = certificateWords(certificates[0]!)
  const bundle = material.what ?? (certificates.length > 1 ? 'PEM' : undefined)
  const form: Partial<Part> =
    bundle === undefined
      ? {}
      : { facts: { file: `${bundle} with ${certificates.length} certificates` } }
  return joinParts(file, what, [form, await explainCertificate(shown, context)])
}

export async function explainServer(
  target: ServerTarget,
  context: ExplainContext,
): Promise<Explanation> {
  const input = `${target.host}:${target.port}`
  const { certificates, staple, part } = await readServer(target)
  const [certificate] = certificates
  if (certificate === undefined) return joinParts(input, 'a port without a certificate', [part])
  const shown = { certificates, from: 'sent by the server' }
  const explained = await explainCertificate(shown, { ...context, ...(staple ? { staple } : {}) })
  return joinParts(input, certificateWords(certificate), [part, explained])
}

function unreadable(file: string, error: unknown): Explanation {
  // The decoders of OCSP answers and time-stamps are a library's, with errors of its own.
  const isKnown =
    error instanceof CertificateError || error instanceof DerError || isLibraryError(error)
  if (!isKnown) throw error
  const code = 'code' in error ? ` (${String(error.code)})` : ''
  const finding = wrong(
    `It cannot be read${code}: ${error.message}.`,
    'Get the file again from whoever issued it; a copy may have been cut off or changed on its way.',
  )
  return joinParts(file, 'a damaged file', [{ findings: [finding] }])
}

function isLibraryError(error: unknown): error is Error {
  return error instanceof Error && /asn1|AsnParse|AsnSchema/i.test(`${error.name} ${error.stack}`)
}

function readBytes(file: string): { bytes: Buffer; mode: number } {
  try {
    return { bytes: readFileSync(file), mode: statSync(file).mode }
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new ConfigError(`${file}: cannot be read (${code}); write a FILE or HOST:PORT`, { cause })
  }
}

/** A bundle has no order (RFC 5652 §5.1): asked about is the one that issued no other. */
function leafFirst(certificates: readonly Certificate[]): Certificate[] {
  const isIssuer = ({ subjectDer }: Certificate): boolean =>
    certificates.some(
      (other) => other.issuerDer.equals(subjectDer) && !other.subjectDer.equals(subjectDer),
    )
  const leaf = certificates.find((certificate) => !isIssuer(certificate)) ?? certificates[0]!
  return [leaf, ...certificates.filter((certificate) => certificate !== leaf)]
}
