import { hash } from 'node:crypto'
import { parseSignedData } from '../../pki/cms-signed-data.ts'
import { parseCertificate } from '../../pki/certificate.ts'
import { parseTstInfo } from '../../pki/tst-info.ts'
import { parseJws } from '../../protocol/jws.ts'
import { chainOf } from '../validation-chain.ts'
import type { ValidationStore } from '../validation-store.ts'
import type { EvidenceChain } from './evidence.ts'
import { chainFile, ocspFile, type Absence, type ChainName, type MessageName } from './layout.ts'

export interface ChainSources {
  readonly validation: Pick<
    ValidationStore,
    'certificate' | 'certificatesNamed' | 'ocspAnswer' | 'keepCertificates'
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

/** Of who made a time-stamp. It is trusted by the catalogue: nobody needs its revocation state. */
export async function stampChain(
  name: ChainName,
  token: Buffer,
  { validation }: ChainSources,
): Promise<GatheredChain> {
  const { certificates, isSigner, content } = parseSignedData(token)
  await validation.keepCertificates(certificates.map(({ der }) => der))
  const { genTime } = parseTstInfo(content)
  return gather(name, certificates.find(isSigner)?.thumbprint, genTime, validation)
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
  for (const [place, der] of certificates.entries()) {
    const answer = await validation.ocspAnswer(hash('sha256', der, 'base64url'), at)
    if (answer !== undefined) ocsp.set(place, answer.der)
  }
  return { chain: { name, certificates, ocsp }, absent: [] }
}

function isRoot(der: Buffer): boolean {
  const { subjectDer, issuerDer } = parseCertificate(der)
  return subjectDer.equals(issuerDer)
}
