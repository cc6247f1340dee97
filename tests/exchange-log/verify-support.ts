/** A log as a gateway leaves it on disk: signed manifests, content, tree, checkpoints, a time-stamp. */
import { generateKeyPairSync, hash, randomUUID } from 'node:crypto'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ContentSealer, UnboundContent } from '../../exchange-log/content.ts'
import { openEncryptionKey } from '../../exchange-log/encryption-key.ts'
import { startIntegrator, type LogKey } from '../../exchange-log/integrator.ts'
import { openLogStores, type LogStores } from '../../exchange-log/open-log.ts'
import { commitmentOf, newSalt, recordText, type LogRecord } from '../../exchange-log/record.ts'
import { createRecordKeys } from '../../exchange-log/record-keys.ts'
import { createContentSealer } from '../../exchange-log/sealing.ts'
import type { SealedRecord } from '../../exchange-log/store.ts'
import { openFolderSource } from '../../exchange-log/verify/folder-source.ts'
import {
  verifyLog,
  type VerifyOptions,
  type VerifyResult,
} from '../../exchange-log/verify/verify-log.ts'
import { createTspRequest } from '../../pki/tsp-request.ts'
import { verifyTimeStamp } from '../../pki/tsp-verify.ts'
import { checkpointText, parseCheckpoint } from '../../protocol/checkpoint.ts'
import { signJws } from '../../protocol/jws.ts'
import { manifestText } from '../../protocol/manifest.ts'
import { NOTE_TYPE, noteVerifier } from '../../protocol/signed-note.ts'
import { createLeaf, temporaryFolder } from '../pki/support.ts'
import type { TestTsa } from '../pki/tsp-support.ts'
import { bodyOf, HEADERS, message, silent } from './support.ts'

export const ORIGIN = 'spean/KH-TEST/GOV/REG/REG-1/log'
// Shortly before now: the time-stamps that the tests ask for are of now.
const BEGUN_AT = Date.now() - 240_000
const STEP_MS = 50

export interface WrittenLog extends Disposable {
  readonly folder: string
  readonly key: LogKey
  /** Sizes of its checkpoints. */
  readonly sizes: readonly number[]
}

export function newLogKey(origin = ORIGIN): LogKey {
  const { privateKey } = generateKeyPairSync('ed25519')
  return { privateKey, verifier: noteVerifier(origin, privateKey, NOTE_TYPE.ed25519) }
}

/** Time of the record at a position. */
export const timeOf = (position: number): Date => new Date(BEGUN_AT + position * STEP_MS)

/** Writes a log with a checkpoint at each of some sizes, and a time-stamp over the last but one. */
export async function writeLog(sizes: readonly number[], tsa?: TestTsa): Promise<WrittenLog> {
  const folder = mkdtempSync(join(tmpdir(), 'spean-log-'))
  await using stores = await openLogStores({ stateDir: folder, maxBytes: 2 ** 32 })
  const key = await fillLog(stores, { folder, sizes, tsa })
  return {
    ...{ folder, key, sizes },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** @param folder for the key of its content. @returns the key of the log. */
export async function fillLog(
  stores: LogStores,
  options: {
    readonly folder: string
    readonly sizes: readonly number[]
    readonly tsa?: TestTsa | undefined
  },
): Promise<LogKey> {
  const { folder, sizes, tsa } = options
  const key = newLogKey()
  const signer = await openSigner(stores)
  const sealer = await openSealer(folder, stores)
  let last = 0
  for (const size of sizes) {
    await appendRecords(stores, { from: last + 1, to: size, signer, sealer })
    last = size
    await integrate(stores, key)
  }
  const stamped = sizes.at(-2)
  if (tsa !== undefined && stamped !== undefined) await stampAt(stores, stamped, tsa)
  return key
}

export interface Signer {
  (entry: { exchangeId: string; at: Date; body: Buffer }): string
}

/** Signs manifests with a member's key, whose certificate the log keeps. */
export async function openSigner(stores: Pick<LogStores, 'validation'>): Promise<Signer> {
  const { leaf: certificate, key } = await createLeaf()
  await stores.validation.keepCertificates([certificate.der])
  return ({ exchangeId, at, body }) => {
    const manifest = manifestText({
      ...{ version: 1, kind: 'request', exchangeId, messageId: exchangeId, method: 'POST' },
      ...{ client: 'KH-TEST/COM/BANK/KYC', service: 'KH-TEST/GOV/REG/POP/echo', target: '/r1/x' },
      headersDigest: hash('sha256', HEADERS, 'base64url'),
      bodyDigest: hash('sha256', body, 'base64url'),
      ...{ bodySize: body.length, gateway: 'KH-TEST/COM/BANK/BANK-1', snapshot: 1 },
    })
    const header = {
      alg: 'ES256' as const,
      iat: Math.floor(at.getTime() / 1000),
      kid: 'KH-TEST/COM/BANK',
      'x5t#S256': certificate.thumbprint,
    }
    return signJws(header, manifest, key.privateKey)
  }
}

/** Encrypts content under the key of the folder, as a gateway does. */
export async function openSealer(
  folder: string,
  { records }: Pick<LogStores, 'records'>,
): Promise<ContentSealer> {
  const key = await openEncryptionKey(`${folder}/log-encryption.key`, { mayMake: true })
  const keys = await createRecordKeys({ key, clock: () => timeOf(0), logger: silent })
  return createContentSealer(keys, records)
}

export async function appendRecords(
  { records }: Pick<LogStores, 'records'>,
  { from, to, signer, sealer }: { from: number; to: number; signer: Signer; sealer: ContentSealer },
): Promise<void> {
  const appended: Promise<number>[] = []
  for (let position = from; position <= to; position += 1) {
    const exchangeId = randomUUID()
    const at = timeOf(position)
    const body = Buffer.from(`body ${position} សួស្តី`)
    const record: LogRecord = {
      ...{ exchangeId, side: 'provider', kind: 'request', at, recordedAt: at },
      ...{ client: 'KH-TEST/COM/BANK/KYC', service: 'KH-TEST/GOV/REG/POP/echo', method: 'POST' },
      ...{ target: '/r1/x', messageId: exchangeId, peer: 'KH-TEST/COM/BANK/BANK-1' },
      ...{ manifest: signer({ exchangeId, at, body }), kept: 'full', bodyBytes: body.length },
    }
    const content = await sealer.seal(message(bodyOf(body)), 'full')
    appended.push(records.append(sealedOf(record, content)))
  }
  await Promise.all(appended)
}

export function sealedOf(record: LogRecord, content?: UnboundContent): SealedRecord {
  const salt = newSalt()
  const commitment = commitmentOf(salt, recordText(record))
  return { record, salt, commitment, ...(content ? { content: content.bind(commitment) } : {}) }
}

/** Brings what is there into one checkpoint. */
export async function integrate(stores: LogStores, key: LogKey): Promise<void> {
  const clock = (): Date => timeOf(0)
  const options = { ...stores, key, clock, logger: silent }
  await using integrator = startIntegrator(options)
  await integrator.integrateNow()
}

export async function stampAt(stores: LogStores, size: number, tsa: TestTsa): Promise<void> {
  const { note } = (await stores.tree.checkpoint(size))!
  const digest = hash('sha256', checkpointText(parseCheckpoint(note)), 'buffer')
  using stamping = tsa.open()
  const reply = await stamping.answer(createTspRequest({ hash: 'sha256', digest, certReq: true }))
  const anchors = [tsa.certificate]
  const at = new Date()
  const { genTime, serial, token } = verifyTimeStamp(reply, { hash: 'sha256', digest, anchors, at })
  await stores.stamps.add({ size, token, genTime, serial, authority: 'tsa', at })
}

/** The same log in a folder of its own, which goes when the test has ended. */
export function copyOf({ folder, ...rest }: WrittenLog): WrittenLog {
  const copy = temporaryFolder()
  cpSync(folder, copy, { recursive: true })
  return { folder: copy, ...rest }
}

/** Changes a database as somebody does who has all rights on the machine. */
export function tamper(
  { folder }: WrittenLog,
  file: 'exchange-log.db' | 'log-tree.db' | 'time-stamps.db' | 'log-validation.db',
  change: (db: DatabaseSync) => void,
): void {
  const db = new DatabaseSync(`${folder}/${file}`)
  change(db)
  db.close()
}

export async function verify(
  { folder, key }: WrittenLog,
  options: Partial<VerifyOptions> = {},
): Promise<VerifyResult> {
  await using source = openFolderSource(folder)
  return await verifyLog(source, { logKey: key.verifier, ...options })
}

/** Codes and positions of what is found, for comparison. */
export function told({ findings }: VerifyResult): string[] {
  return findings.map(({ code, position, lastPosition }) =>
    lastPosition === undefined ? `${code} ${position}` : `${code} ${position}-${lastPosition}`,
  )
}
