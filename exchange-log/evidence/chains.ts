import { hash } from 'node:crypto'
import { parseSignedData } from '../../pki/cms-signed-data.ts'
import { parseCertificate, type Certificate } from '../../pki/certificate.ts'
import { parseTstInfo } from '../../pki/tst-info.ts'
import { parseJws } from '../../protocol/jws.ts'
import { chainOf } from '../validation-chain.ts'
import type { KeptOcspAnswer, ValidationStore } from '../validation-store.ts'
import type { EvidenceChain } from './evidence.ts'
import { chainFile, ocspFile, type Absence, type ChainName, type MessageName } from './layout.ts'

export interface ChainSources {
  /** Asks the authority of a certificate for its state; undefined when there is no answer. */
  readonly askState: (
    certificate: Certificate,
    issuer: Certificate,
  ) => Promise<KeptOcspAnswer | undefined>
  readonly validation: Pick<
    ValidationStore,
    'certificate' | 'certificatesNamed' | 'ocspAnswer' | 'keepCertificates' | 'keepOcspAnswer'
  >
}

export interface GatheredChain {
  readonly chain?: EvidenceChain
  readonly absent: readonly Absence[]
}

/** Of who signed a manifest, as of when it was signed. */
export async function signerChain(
  part: MessageName,
  manifest: string,
  { validation }: ChainSources,
): Promise<GatheredChain> {
  const { header } = parseJws(manifest)
  const at = new Date(header.iat * 1000)
  const found = await gather(`${part}-signer`, header['x5t#S256'], at, validation)
  if (found.chain === undefined || found.chain.ocsp.has(0)) return found
  const detail = `no answer about the certificate ${header['x5t#S256']} is kept`
  const absent = { what: ocspFile(`${part}-signer`, 0), reason: 'missing', detail } as const
  return { ...found, absent: [...found.absent, absent] }
}

/** Of who made a time-stamp. The catalogue trusts it: its state was not needed, and is asked for now. */
export async function stampChain(
  name: ChainName,
  token: Buffer,
  { validation, askState }: ChainSources,
): Promise<GatheredChain> {
  const { certificates, isSigner, content } = parseSignedData(token)
  await validation.keepCertificates(certificates.map(({ der }) => der))
  const { genTime } = parseTstInfo(content)
  const thumbprint = certificates.find(isSigner)?.thumbprint
  const found = await gather(name, thumbprint, genTime, validation)
  if (found.chain === undefined || found.chain.ocsp.has(0)) return found
  const [certificate, issuer] = found.chain.certificates.map(parseCertificate)
  const answer = certificate && issuer && (await askState(certificate, issuer))
  if (answer === undefined) return found
  await validation.keepOcspAnswer(answer)
  return { ...found, chain: { ...found.chain, ocsp: new Map([[0, answer.der]]) } }
}

async function gather(
  name: ChainName,
  thumbprint: string | undefined,
  at: Date,
  validation: ChainSources['validation'],
): Promise<GatheredChain> {
  const certificates = thumbprint === undefined ? [] : await chainOf(validation, thumbprint, at)
  const root = certificates.at(-1)
  if (root === undefined || !isRoot(root)) {
    const which = thumbprint === undefined ? 'the signer of the token' : thumbprint
    const detail = `certificates from ${which} up to a root are not kept`
    return { absent: [{ what: chainFile(name), reason: 'missing', detail }] }
  }
  const ocsp = new Map<number, Buffer>()
  for (const [place, der] of certificates.slice(0, -1).entries()) {
    const answer = await validation.ocspAnswer(hash('sha256', der, 'base64url'), at)
    if (answer !== undefined) ocsp.set(place, answer.der)
  }
  return { chain: { name, certificates, ocsp }, absent: [] }
}

function isRoot(der: Buffer): boolean {
  const { subjectDer, issuerDer } = parseCertificate(der)
  return subjectDer.equals(issuerDer)
}
