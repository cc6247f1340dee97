/** Makes archives of evidence with every key in hand: each lie stands in an archive that fits it in all else. */
import { generateKeyPairSync, hash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { evidenceArchive } from '../../exchange-log/evidence/archive.ts'
import type { Evidence, EvidenceChain } from '../../exchange-log/evidence/evidence.ts'
import { signatureOf, toJades } from '../../exchange-log/evidence/jades.ts'
import type {
  ExchangeDescription,
  MessageName,
  PartName,
} from '../../exchange-log/evidence/layout.ts'
import { commitmentOf, newSalt, recordText, type LogRecord } from '../../exchange-log/record.ts'
import { DEFAULT_POLICY, openTimeStamping } from '../../pki/authority/time-stamping.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { subjectOf } from '../../pki/identity.ts'
import { generateKey, type KeyPair } from '../../pki/keys.ts'
import { certIdOf } from '../../pki/ocsp-cert-id.ts'
import { createOcspResponse, type OcspEntry } from '../../pki/ocsp-response.ts'
import { createTspRequest } from '../../pki/tsp-request.ts'
import { verifyTimeStamp } from '../../pki/tsp-verify.ts'
import { checkpointText, cosign } from '../../protocol/checkpoint.ts'
import { signJws } from '../../protocol/jws.ts'
import { manifestText, type Manifest } from '../../protocol/manifest.ts'
import { leafHash } from '../../protocol/merkle-tree.ts'
import { formatNote, formatVkey, noteVerifier, signNote } from '../../protocol/signed-note.ts'
import { formatTlogProof } from '../../protocol/tlog-proof.ts'
import {
  AT,
  bodyOf,
  CONTENT,
  describe,
  FIRST,
  manifestOf,
  ORIGIN,
  recordOf,
  seconds,
} from './evidence-truth.ts'
import { createTestAuthority, name, type TestAuthority } from '../pki/support.ts'
import { naiveInclusion, naiveRoot } from '../protocol/naive-tree.ts'

export interface Signer {
  readonly certificate: Certificate
  readonly key: KeyPair
  readonly kid: string
  /** From its issuer to the root. */
  readonly above: readonly Certificate[]
  /** What its authority says; good when left out. */
  readonly ocsp?: Buffer
}

/** Everybody who takes part, with the keys. */
export type World = Awaited<ReturnType<typeof createWorld>>

export async function createWorld() {
  const folder = mkdtempSync(join(tmpdir(), 'spean-forger-'))
  const authority = await createTestAuthority()
  const responder = await responderOf(authority)
  const logKey = (origin: string) => {
    const { privateKey } = generateKeyPairSync('ed25519')
    return { privateKey, verifier: noteVerifier(origin, privateKey, 0x01) }
  }
  const witness = (of: string) => {
    const { privateKey } = generateKeyPairSync('ed25519')
    return { privateKey, verifier: noteVerifier(`KH-TEST/${of}/witness`, privateKey, 0x04) }
  }
  const tsaKey = await generateKey('P-256')
  const tsa = await authority.issue({
    profile: 'time-stamping',
    publicKey: tsaKey.publicKey,
    subject: name('time'),
  })
  const log = logKey(ORIGIN)
  let stamped = 0
  const world = {
    authority,
    responder,
    log,
    logKey,
    vkey: () => formatVkey(log.verifier),
    witnesses: [witness('one'), witness('two'), witness('three')],
    tsa,
    signer: async (
      kid: string,
      changes: Partial<Parameters<TestAuthority['issue']>[0]> & { readonly key?: KeyPair } = {},
      by: TestAuthority = authority,
    ): Promise<Signer> => {
      const { key = await generateKey('P-256'), ...more } = changes
      const [instance = '', memberClass = '', member = ''] = kid.split('/')
      const certificate = await by.issue({
        profile: 'signing',
        publicKey: key.publicKey,
        subject: subjectOf({ instance, memberClass, member }),
        ...more,
      })
      return { certificate, key, kid, above: [by.issuing.certificate, by.root.certificate] }
    },
    state: async (
      certificate: Certificate,
      entry: Partial<OcspEntry> = {},
      at = AT,
      by = responder,
    ): Promise<Buffer> =>
      createOcspResponse({
        entries: [
          { certId: certIdOf(certificate, by.issuer), status: 'good', ...entry } as OcspEntry,
        ],
        responderKey: by.key,
        responderCertificate: by.certificate,
        at,
        validityMs: 4 * 3_600_000,
      }),
    stamp: async (data: string, at: Date): Promise<Buffer> => {
      stamped += 1
      using stamping = openTimeStamping({
        key: tsaKey,
        certificate: () => Promise.resolve(tsa),
        chain: [authority.issuing.certificate, authority.root.certificate],
        stateFile: join(folder, `${stamped}.db`),
        clock: () => at,
        policy: DEFAULT_POLICY,
        accuracyMs: 1000,
      })
      const digest = hash('sha256', data, 'buffer')
      const answer = await stamping.answer(
        createTspRequest({ hash: 'sha256', digest, certReq: true }),
      )
      return verifyTimeStamp(answer, { hash: 'sha256', digest, anchors: [tsa], at }).token
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
  const [bank, registry] = await Promise.all([
    world.signer('KH-TEST/COM/BANK'),
    world.signer('KH-TEST/GOV/REG'),
  ])
  return { ...world, signers: { request: bank, response: registry } }
}

export async function responderOf(authority: TestAuthority) {
  const key = await generateKey('P-256')
  const certificate = await authority.issue({
    profile: 'ocsp-responder',
    publicKey: key.publicKey,
    subject: name('responder'),
  })
  return { key, certificate, issuer: authority.issuing.certificate }
}

/** What is made otherwise than in true evidence; everything that follows from it is made to fit. */
export interface Lies {
  readonly signers?: Partial<Record<MessageName, Signer>>
  readonly manifest?: (part: MessageName, manifest: Manifest) => Manifest
  /** After signing. */
  readonly jws?: (part: MessageName, jws: string) => string
  readonly signedAt?: (part: MessageName) => Date
  /** What the record has in place of the manifest that is in the archive. */
  readonly record?: (part: PartName, record: LogRecord) => LogRecord
  readonly events?: readonly LogRecord[]
  readonly headers?: (part: MessageName) => Buffer | undefined
  readonly body?: (part: MessageName) => Buffer | undefined
  readonly jades?: (part: MessageName, jades: string) => string
  readonly stampedAt?: Date
  /** Of the signatures. */
  readonly liftedAt?: Date
  readonly stampedText?: (text: string) => string
  readonly liftedText?: (signature: string) => string
  readonly log?: ReturnType<World['logKey']>
  readonly checkpoint?: (text: string) => string
  readonly leaf?: (part: PartName, leaf: Buffer) => Buffer
  readonly proof?: (part: PartName, proof: string) => string
  readonly cosigners?: number
  readonly cosigned?: (text: string) => string
  readonly policy?: (policy: string) => string
  readonly chain?: (chain: EvidenceChain) => EvidenceChain
  readonly description?: (description: ExchangeDescription) => ExchangeDescription
  readonly parts?: readonly PartName[]
}

/** An archive; without lies one that is true. */
export async function forge(world: World, lies: Lies = {}): Promise<Buffer> {
  const { log = world.log } = lies
  const signers = { ...world.signers, ...lies.signers }
  const chainOf = async (part: MessageName): Promise<EvidenceChain> => {
    const { certificate, above, ocsp = await world.state(certificate) } = signers[part]
    const certificates = [certificate, ...above].map(({ der }) => der)
    return { name: `${part}-signer`, certificates, ocsp: new Map([[0, ocsp]]) }
  }
  const stampChain = async (of: EvidenceChain['name']): Promise<EvidenceChain> => {
    const { issuing, root } = world.authority
    const certificates = [world.tsa, issuing.certificate, root.certificate].map(({ der }) => der)
    return { name: of, certificates, ocsp: new Map([[0, await world.state(world.tsa)]]) }
  }
  const change = lies.chain ?? ((chain: EvidenceChain) => chain)
  const signed: { part: MessageName; jws: string; manifest: Manifest }[] = []
  for (const part of ['request', 'response'] as const) {
    const { key, kid, certificate } = signers[part]
    const plain = manifestOf(part, signed[0]?.jws)
    const manifest = lies.manifest?.(part, plain) ?? plain
    const iat = Math.floor((lies.signedAt?.(part) ?? seconds(0)).getTime() / 1000)
    const header = { alg: 'ES256', iat, kid, 'x5t#S256': certificate.thumbprint } as const
    const jws = signJws(header, manifestText(manifest), key.privateKey)
    signed.push({ part, manifest, jws: lies.jws?.(part, jws) ?? jws })
  }
  const chains: EvidenceChain[] = []
  const messages = []
  for (const { part, jws } of signed) {
    const text = signatureOf(jws)
    const token = await world.stamp(lies.liftedText?.(text) ?? text, lies.liftedAt ?? seconds(2))
    const own = [change(await chainOf(part)), change(await stampChain(`${part}-stamp`))]
    chains.push(...own)
    const jades = toJades(jws, {
      token,
      certificates: own.flatMap(({ certificates }) => certificates),
      ocsp: own.flatMap(({ ocsp }) => [...ocsp.values()]),
    })
    const [headers, body] = CONTENT[part]
    messages.push({
      part,
      manifest: jws,
      jades: lies.jades?.(part, jades) ?? jades,
      signatureToken: token,
      headers: lies.headers ? lies.headers(part) : headers,
      body: bodyOf(lies.body ? lies.body(part) : body),
    })
  }
  chains.push(change(await stampChain('time-stamp')))
  const logged = [
    ...signed.map(({ part, jws, manifest }) => [part, recordOf(jws, manifest)] as const),
    ...(lies.events ?? []).map((event, i) => [i === 0 ? 'erasure' : 'erasure-2', event] as const),
  ].map(([part, record]) => {
    const says = lies.record?.(part, record) ?? record
    const salt = newSalt()
    return { part, says, salt, commitment: commitmentOf(salt, recordText(says)) }
  })
  // Others' records stand before and behind.
  const leaves = Array.from({ length: FIRST - 1 }, (_, i) => leafHash(Buffer.alloc(32, i)))
  for (const { part, commitment } of logged) {
    const leaf = leafHash(commitment)
    leaves.push(lies.leaf?.(part, leaf) ?? leaf)
  }
  leaves.push(leafHash(Buffer.alloc(32, 99)))
  const { name: origin } = log.verifier
  const text = checkpointText({ origin, size: leaves.length, rootHash: naiveRoot(leaves) })
  const note = lies.checkpoint?.(text) ?? text
  const cosigned = lies.cosigned?.(note) ?? note
  const cosignatures = world.witnesses
    .slice(0, lies.cosigners ?? 2)
    .map(({ verifier, privateKey }) => cosign(cosigned, verifier, privateKey, seconds(2)))
  const own = signNote(note, log.verifier, log.privateKey)
  const checkpointNote = formatNote(note, [own, ...cosignatures])
  const token = await world.stamp(lies.stampedText?.(note) ?? note, lies.stampedAt ?? seconds(3))
  const genTime = new Date(Math.floor((lies.stampedAt ?? seconds(3)).getTime() / 1000) * 1000)
  const stamp = {
    ...{ size: leaves.length, token, genTime, authority: 'national', at: seconds(3) },
    serial: verifyTimeStamp(token, {
      ...{ hash: 'sha256', anchors: [world.tsa], at: genTime },
      digest: hash('sha256', lies.stampedText?.(note) ?? note, 'buffer'),
    }).serial,
  }
  const policy = [
    `log ${formatVkey(log.verifier)}`,
    ...world.witnesses.map(({ verifier }, i) => `witness w${i} ${formatVkey(verifier)}`),
    'group most 2 w0 w1 w2',
    'quorum most\n',
  ].join('\n')
  const parts = lies.parts ?? logged.map(({ part }) => part)
  const records = logged
    .map(({ part, says, salt, commitment }, i) => {
      const index = FIRST - 1 + i
      const inclusion = naiveInclusion(index, leaves)
      const proof = formatTlogProof({ index, inclusion, checkpoint: checkpointNote })
      const record = { ...says, salt, commitment, position: index + 1 }
      return { part, record, proof: lies.proof?.(part, proof) ?? proof }
    })
    .filter(({ part }) => parts.includes(part))
  const shown = messages.filter(({ part }) => parts.includes(part))
  const plain = describe(records, shown, { origin, stamp })
  const description = lies.description?.(plain) ?? plain
  const evidence: Evidence = {
    ...{ description, records, messages: shown, stamp, checkpointNote },
    chains: chains.filter(({ name: chain }) => {
      const part = chain.split('-')[0]
      return part === 'time' || shown.some((one) => one.part === part)
    }),
    checkpoint: undefined,
    policy: lies.policy?.(policy) ?? policy,
    absent: description.absent,
  }
  return buffer(evidenceArchive(evidence))
}
