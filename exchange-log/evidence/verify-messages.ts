/** Checks of signatures, messages and certificates in an archive. */
import type { Certificate } from '../../pki/certificate.ts'
import { memberOf, readClientId, readServiceId } from '../../protocol/identifiers.ts'
import { parseJws, verifyJws, type ParsedJws } from '../../protocol/jws.ts'
import {
  jwsDigest,
  parseRequestManifest,
  parseResponseManifest,
  type Manifest,
} from '../../protocol/manifest.ts'
import { countText } from '../../runtime/count-text.ts'
import { EvidenceError } from './evidence-errors.ts'
import { bodyFile, chainFile, headersFile, manifestFile, type MessageName } from './layout.ts'
import type { LoadedEvidence } from './loaded.ts'
import { asEvidence, checkPath, checkStates } from './verify-certificates.ts'

export interface SignedMessage {
  readonly part: MessageName
  readonly jws: string
  readonly parsed: ParsedJws
  readonly manifest: Manifest
  readonly signedAt: Date
}

/** @throws EvidenceError */
export function readMessage(evidence: LoadedEvidence, part: MessageName): SignedMessage {
  const name = manifestFile(part)
  const jws = evidence.text(name)
  return asEvidence('evidence.malformed', name, () => {
    const parsed = parseJws(jws)
    const parse = part === 'request' ? parseRequestManifest : parseResponseManifest
    const manifest: Manifest = parse(parsed.payload)
    return { part, jws, parsed, manifest, signedAt: new Date(parsed.header.iat * 1000) }
  })
}

/** The signature is the one of the certificate that it names, for the member that it is made for. */
export function checkSignature(message: SignedMessage, leaf: Certificate): string {
  const { part, parsed, manifest } = message
  if (parsed.header['x5t#S256'] !== leaf.thumbprint) {
    const why = `${manifestFile(part)} names another certificate than ${chainFile(`${part}-signer`)}`
    throw new EvidenceError('evidence.certificate-untrusted', why)
  }
  asEvidence('evidence.signature-invalid', manifestFile(part), () => {
    verifyJws(parsed, leaf.publicKey)
  })
  const { kid, alg } = parsed.header
  const party = asEvidence('evidence.malformed', manifestFile(part), () =>
    part === 'request'
      ? memberOf(readClientId(manifest.client))
      : memberOf(readServiceId(manifest.service)),
  )
  const held = memberIn(leaf, kid)
  if (kid !== party || (held !== undefined && held !== party)) {
    const why = `${manifestFile(part)} is signed for ${kid} by ${held ?? leaf.subject}, and sent by ${party}`
    throw new EvidenceError('evidence.signature-invalid', why)
  }
  const known = held === undefined ? `, which the catalogue knows as ${kid}` : ''
  return `${alg} by ${leaf.subject}${known}, at ${message.signedAt.toISOString()}`
}

/**
 * The member that a certificate of the instance's own authority names. The subject of another authority has a
 * meaning by the catalogue only (§7.5), and names none here.
 */
export function memberIn({ identity }: Certificate, kid: string): string | undefined {
  if (identity === undefined || !kid.startsWith(`${identity.instance}/`)) return undefined
  return `${identity.instance}/${identity.memberClass}/${identity.member}`
}

/** @throws EvidenceError */
export function checkMessage(evidence: LoadedEvidence, { part, manifest }: SignedMessage): string {
  const checked: string[] = []
  const sides = [
    [headersFile(part), manifest.headersDigest],
    [bodyFile(part), manifest.bodyDigest],
  ] as const
  for (const [name, digest] of sides) {
    if (!evidence.has(name)) continue
    const { sha256, size } = evidence.file(name)
    const fits = sha256.toString('base64url') === digest
    if (!fits || (name === bodyFile(part) && size !== manifest.bodySize)) {
      throw new EvidenceError('evidence.message-altered', `${name} is not what was signed`)
    }
    checked.push(`${name} of ${countText(size, 'byte')}`)
  }
  return checked.length > 0 ? `${checked.join(' and ')} as signed` : 'neither is kept'
}

/** @throws EvidenceError */
export function checkAnswer(request: SignedMessage, response: SignedMessage): string {
  const { manifest } = response
  const same = (['exchangeId', 'messageId', 'client', 'service'] as const).every(
    (name) => manifest[name] === request.manifest[name],
  )
  const digest = manifest.kind === 'response' ? manifest.requestDigest : undefined
  if (same && digest === jwsDigest(request.jws)) return 'the response names the signed request'
  throw new EvidenceError('evidence.answer-mismatch', 'the response answers another request')
}

/** Leads to a root, was valid when it signed, and was not revoked. */
export function checkCertificate(
  evidence: LoadedEvidence,
  { part, signedAt }: SignedMessage,
  chain: readonly Certificate[],
): string {
  const name = `${part}-signer` as const
  const path = checkPath(chainFile(name), chain, 'signing', signedAt)
  const state = checkStates(evidence, name, path, signedAt)
  return `${countText(path.length - 1, 'step')} to ${path.at(-1)!.subject}; ${state}`
}
