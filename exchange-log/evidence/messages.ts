import { createHash, hash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { KeyError } from '../../pki/signing-key.ts'
import { parseJws } from '../../protocol/jws.ts'
import type { Manifest } from '../../protocol/manifest.ts'
import { LogContentError, type ContentReader } from '../content.ts'
import type { StoredRecord } from '../record.ts'
import { signerChain, stampChain, type ChainSources, type GatheredChain } from './chains.ts'
import type { EvidenceBody, EvidenceChain, EvidenceMessage } from './evidence.ts'
import { signatureOf, toJades } from './jades.ts'
import { bodyFile, headersFile, jadesFile, type Absence, type MessageName } from './layout.ts'

/** Has signatures stamped, each once; a gateway asks its time-stamping authorities. */
export interface SignatureStamps {
  /** @param jwsSignature third part of a compact JWS. @returns the token, or why there is none now. */
  signatureStamp(
    jwsSignature: string,
  ): Promise<
    | { readonly stamp: { readonly token: Buffer } }
    | { readonly stamp: undefined; readonly fault: { readonly detail: string } }
  >
}

interface Lifted {
  readonly chains: readonly EvidenceChain[]
  /** ETSI TS 119 182-1 §6. */
  readonly level: 'B-B' | 'B-T' | 'B-LT'
  readonly jades: string
  readonly signatureToken: Buffer | undefined
  readonly absent: readonly Absence[]
}
export type GatheredMessage = EvidenceMessage & Lifted

export interface MessageSources extends ChainSources {
  readonly content: ContentReader
  readonly signatureStamps: SignatureStamps
}

/** A message as far as it was kept; what was altered since is left out, and said. */
export async function messageOf(
  part: MessageName,
  record: StoredRecord & {
    readonly manifest: string
    /** An event in the log says that its content was erased. */
    readonly isErased: boolean
  },
  sources: MessageSources,
): Promise<GatheredMessage> {
  const { manifest, position, isErased, kept = 'none' } = record
  const { content } = sources
  const signed = JSON.parse(parseJws(manifest).payload.toString('utf8')) as Manifest
  const absent: Absence[] = []
  const look = async <T>(
    what: string,
    isKept: boolean,
    read: () => Promise<T | undefined>,
  ): Promise<T | undefined> => {
    try {
      const found = isKept ? await read() : undefined
      if (found === undefined) absent.push(gone(what, { isKept, isErased }))
      return found
    } catch (error) {
      if (!(error instanceof LogContentError) && !(error instanceof KeyError)) throw error
      const reason = error instanceof KeyError ? 'missing' : 'altered'
      absent.push({ what, reason, detail: error.message })
      return undefined
    }
  }
  const headers = await look(headersFile(part), kept !== 'none', async () => {
    const bytes = await content.headers(position)
    if (bytes && hash('sha256', bytes, 'base64url') !== signed.headersDigest) {
      throw new LogContentError('the header block that is kept is not the one that was signed')
    }
    return bytes
  })
  const body = await look(bodyFile(part), kept === 'full', () =>
    openBody(position, signed, content),
  )
  const lifted = await lift(part, manifest, sources)
  return { part, manifest, headers, body, ...lifted, absent: [...absent, ...lifted.absent] }
}

function gone(
  what: string,
  { isKept, isErased }: { readonly isKept: boolean; readonly isErased: boolean },
): Absence {
  if (!isKept) {
    return { what, reason: 'not-kept', detail: 'the rule of the service does not keep it' }
  }
  return isErased
    ? { what, reason: 'erased', detail: 'the manifest has its digest' }
    : { what, reason: 'missing', detail: 'it is lost: no erasure in the log names it' }
}

/** Read through once before: an archive that has begun cannot say anymore that a body does not fit. */
async function openBody(
  position: number,
  signed: Manifest,
  content: ContentReader,
): Promise<EvidenceBody | undefined> {
  const stream = await content.body(position)
  if (stream === undefined) return undefined
  const digest = createHash('sha256')
  let size = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    digest.update(chunk)
    size += chunk.length
  }
  if (digest.digest('base64url') !== signed.bodyDigest || size !== signed.bodySize) {
    throw new LogContentError('the body that is kept is not the one that was signed')
  }
  const open = async (): Promise<Readable> => {
    const again = await content.body(position)
    if (again !== undefined) return again
    throw new LogContentError('the body was erased while the archive was written')
  }
  return { size, open }
}

async function lift(part: MessageName, manifest: string, sources: MessageSources): Promise<Lifted> {
  const signer = await signerChain(part, manifest, sources)
  const stamping = await sources.signatureStamps.signatureStamp(signatureOf(manifest))
  if (stamping.stamp === undefined) {
    const what = `sigTst of ${jadesFile(part)}`
    const detail = `it is B-B with validation data: ${stamping.fault.detail}`
    return {
      chains: signer.chain ? [signer.chain] : [],
      level: 'B-B',
      jades: toJades(manifest, dataOf([signer])),
      signatureToken: undefined,
      absent: [...signer.absent, { what, reason: 'missing', detail }],
    }
  }
  const { token } = stamping.stamp
  const stamper = await stampChain(`${part}-stamp`, token, sources)
  return {
    chains: [signer, stamper].flatMap(({ chain }) => chain ?? []),
    level: [signer, stamper].every(({ chain }) => chain?.ocsp.has(0)) ? 'B-LT' : 'B-T',
    jades: toJades(manifest, { token, ...dataOf([signer, stamper]) }),
    signatureToken: token,
    absent: [...signer.absent, ...stamper.absent],
  }
}

function dataOf(found: readonly GatheredChain[]): { certificates: Buffer[]; ocsp: Buffer[] } {
  const chains = found.flatMap(({ chain }) => chain ?? [])
  return {
    certificates: chains.flatMap(({ certificates }) => certificates),
    ocsp: chains.flatMap(({ ocsp }) => [...ocsp.values()]),
  }
}
