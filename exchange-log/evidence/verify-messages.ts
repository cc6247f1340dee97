/** Checks of signatures, messages and certificates in an archive. */
import { CertificateError, parseCertificates, type Certificate } from '../../pki/certificate.ts'
import { readOcspStatements, verifyOcspResponse } from '../../pki/ocsp-verify.ts'
import { verifyPath } from '../../pki/path.ts'
import type { Purpose } from '../../pki/purpose.ts'
import { verifyTimeStamp, type TimeStamp } from '../../pki/tsp-verify.ts'
import { parseSignedData } from '../../pki/cms-signed-data.ts'
import { parseTstInfo } from '../../pki/tst-info.ts'
import { DerError } from '../../pki/der.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { memberOf, readClientId, readServiceId } from '../../protocol/identifiers.ts'
import { parseJws, verifyJws, type ParsedJws } from '../../protocol/jws.ts'
import {
  jwsDigest,
  parseRequestManifest,
  parseResponseManifest,
  type Manifest,
} from '../../protocol/manifest.ts'
import { createHash } from 'node:crypto'
import { readJson } from './description.ts'
import { EvidenceError, type EvidenceErrorCode } from './evidence-errors.ts'
import { signatureOf, type FlattenedJws } from './jades.ts'
import {
  bodyFile,
  chainFile,
  CHAINS,
  headersFile,
  jadesFile,
  manifestFile,
  ocspFile,
  type ChainName,
  type MessageName,
} from './layout.ts'
import type { LoadedEvidence } from './loaded.ts'

/** How long after its nextUpdate an answer still shows that a certificate was good: gateways bridge outages. */
const LATE_MS = 24 * 60 * 60_000

export interface SignedMessage {
  readonly part: MessageName
  readonly jws: string
  readonly parsed: ParsedJws
  readonly manifest: Manifest
  readonly signedAt: Date
}

/** Runs what throws errors of other layers, and gives them the code of what was being checked. */
export function asEvidence<T>(code: EvidenceErrorCode, what: string, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    const isOurs =
      cause instanceof ExchangeError ||
      cause instanceof DerError ||
      cause instanceof CertificateError
    if (!isOurs) throw cause
    throw new EvidenceError(code, `${what}: ${cause.message}`, { cause })
  }
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

/** Leaf first. @throws EvidenceError */
export function readChain(evidence: LoadedEvidence, chain: ChainName): Certificate[] {
  const name = chainFile(chain)
  return asEvidence('evidence.malformed', name, () => {
    const certificates = parseCertificates(evidence.text(name))
    if (certificates.length > 0) return certificates
    throw new EvidenceError('evidence.malformed', `${name} holds no certificates`)
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
  const { identity } = leaf
  const held = identity && `${identity.instance}/${identity.memberClass}/${identity.member}`
  if (kid !== party || (held !== undefined && held !== party)) {
    const why = `${manifestFile(part)} is signed for ${kid} by ${held ?? leaf.subject}, and sent by ${party}`
    throw new EvidenceError('evidence.signature-invalid', why)
  }
  return `${alg} by ${leaf.subject}, at ${message.signedAt.toISOString()}`
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
    checked.push(`${name} of ${size} bytes`)
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
  const state = evidence.has(ocspFile(name, 0))
    ? checkOcsp(evidence, name, path, signedAt)
    : 'whether it was revoked is not known'
  return `${path.length - 1} steps to ${path.at(-1)!.subject}; ${state}`
}

function checkOcsp(
  evidence: LoadedEvidence,
  name: ChainName,
  [certificate, issuer = certificate]: readonly Certificate[],
  signedAt: Date,
): string {
  const file = ocspFile(name, 0)
  const der = evidence.bytes(file)
  return asEvidence('evidence.certificate-revoked', file, () => {
    const stated = readOcspStatements(der)[0]?.thisUpdate ?? signedAt
    // An answer that was given later says of earlier as well that it was good.
    const at = stated > signedAt ? stated : signedAt
    const answer = verifyOcspResponse(der, {
      ...{ certificate: certificate!, issuer: issuer!, at, lateMs: LATE_MS },
    })
    const { status, revokedAt, thisUpdate } = answer
    if (status === 'revoked' && revokedAt !== undefined && revokedAt <= signedAt) {
      throw new EvidenceError(
        'evidence.certificate-revoked',
        `${file}: the certificate had been revoked at ${revokedAt.toISOString()}`,
      )
    }
    return `not revoked, its authority said at ${thisUpdate.toISOString()}`
  })
}

/** Every certificate of the file leads to the next, and the last is the root. */
function checkPath(file: string, chain: readonly Certificate[], purpose: Purpose, at: Date) {
  const path = asEvidence('evidence.certificate-untrusted', file, () =>
    verifyPath(chain[0]!, {
      anchors: chain.slice(-1),
      intermediates: chain.slice(1, -1),
      ...{ at, purpose },
    }),
  )
  if (path.length === chain.length && path.every((one, i) => one === chain[i])) return path
  throw new EvidenceError('evidence.certificate-untrusted', `${file} has certificates out of order`)
}

/**
 * A token is about these bytes, and made by the holder of the chain.
 *
 * @param file that it is in.
 * @throws EvidenceError
 */
export function checkTimeStamp(
  evidence: LoadedEvidence,
  { file, chain: name }: { readonly file: string; readonly chain: ChainName },
  token: Buffer,
  stamped: Buffer | string,
): TimeStamp {
  const chain = readChain(evidence, name)
  return asEvidence('evidence.time-stamp-invalid', file, () => {
    const { genTime: at } = parseTstInfo(parseSignedData(token).content)
    if (chain.length > 1) checkPath(chainFile(name), chain, 'time-stamping', at)
    if (evidence.has(ocspFile(name, 0))) checkOcsp(evidence, name, chain, at)
    const digest = createHash('sha256').update(stamped).digest()
    return verifyTimeStamp(token, { hash: 'sha256', digest, anchors: chain.slice(0, 1), at })
  })
}

/** The lifted signature is the manifest's, and its time-stamp is about it. */
export function checkJades(evidence: LoadedEvidence, { part, jws }: SignedMessage): string {
  const name = jadesFile(part)
  const altered = (why: string): EvidenceError =>
    new EvidenceError('evidence.jades-altered', `${name} ${why}`)
  const jades = readJson(evidence, name) as Partial<FlattenedJws> | null
  if (`${jades?.protected}.${jades?.payload}.${jades?.signature}` !== jws) {
    throw altered('has another signature than the manifest')
  }
  const components = readEtsiU(jades?.header?.etsiU, altered)
  const lifted = components.flatMap(({ xVals }) => objectsOf(xVals))
  const certificates = valuesOf(lifted.map(({ x509Cert }) => x509Cert))
  const answers = valuesOf(
    components.flatMap(({ rVals }) => objectsOf([rVals])).flatMap(({ ocspVals }) => ocspVals),
  )
  const signer = `${part}-signer` as const
  const chain = evidence.has(chainFile(signer)) ? readChain(evidence, signer) : []
  if (chain.some(({ der }) => !certificates.has(der.toString('base64')))) {
    throw altered('lacks certificates of its signer')
  }
  const known = knownValues(evidence)
  if (![...certificates, ...answers].every((value) => known.has(value))) {
    throw altered('has certificates or answers that are not in the archive')
  }
  const stamps = components.flatMap(({ sigTst }) => objectsOf([sigTst]))
  const [token, ...more] = stamps.flatMap(({ tstTokens }) => objectsOf(tstTokens))
  if (more.length > 0) throw altered('has several time-stamps')
  if (token === undefined || !evidence.has(chainFile(`${part}-stamp`))) {
    return 'the same signature, without time-stamp'
  }
  const der = Buffer.from(String(token.val), 'base64')
  const place = { file: name, chain: `${part}-stamp` } as const
  const { genTime } = checkTimeStamp(evidence, place, der, signatureOf(jws))
  return `the same signature, which existed at ${genTime.toISOString()}`
}

type JsonObject = Readonly<Record<string, unknown>>

function objectsOf(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : []
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** `val` of each, in Base64. */
function valuesOf(items: readonly unknown[]): Set<unknown> {
  return new Set(objectsOf(items.flat()).map(({ val }) => val))
}

/** All certificates and answers of the archive. */
function knownValues(evidence: LoadedEvidence): ReadonlySet<unknown> {
  const chains = CHAINS.filter((chain) => evidence.has(chainFile(chain)))
  const answers = evidence.names.filter((name) => name.startsWith('ocsp/'))
  return new Set([
    ...chains
      .flatMap((chain) => readChain(evidence, chain))
      .map(({ der }) => der.toString('base64')),
    ...answers.map((name) => evidence.bytes(name).toString('base64')),
  ])
}

function readEtsiU(etsiU: unknown, altered: (why: string) => EvidenceError): JsonObject[] {
  if (!Array.isArray(etsiU)) throw altered('has no etsiU')
  const items = etsiU.map((item: unknown): unknown => {
    try {
      return JSON.parse(Buffer.from(String(item), 'base64url').toString('utf8'))
    } catch {
      throw altered('has an item in etsiU that is not JSON')
    }
  })
  return objectsOf(items)
}
