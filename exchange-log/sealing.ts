/**
 * How header blocks and bodies are encrypted (docs/exchange-log.md, "Encryption"). Each record has a random key
 * of its own. Part 0 is the header block; parts from 1 on are the body.
 */
import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto'
import { Readable } from 'node:stream'
import { headerBlockBytes } from '../protocol/header-block.ts'
import type { SpooledBody } from '../runtime/spool.ts'
import {
  LogContentError,
  type ContentReader,
  type ContentSealer,
  type UnboundContent,
} from './content.ts'
import { decrypt, encrypt, KEY_BYTES, NONCE_BYTES } from './encryption-key.ts'
import type { RecordKeys } from './record-keys.ts'
import type { ExchangeLogStore, SealedContent } from './store.ts'

/** Plain bytes of each part of a body but the last. */
export const PART_BYTES = 262_144
/** Parts of a large body that are on their way to the store at one time: 2 MiB for each message. */
const IN_FLIGHT = 8

const NOTHING = Buffer.alloc(0)
const CONTEXT = 'spean log record key 1'
type What = 'headers' | 'headers and body'

/** What a record's key is bound to: its commitment, and so its manifest; and what was encrypted. */
function contextOf(commitment: Buffer, what: What): Buffer {
  return Buffer.concat([Buffer.from(`${CONTEXT}\0${what}\0`), commitment])
}

/** No nonce stands twice under one key: each part has its number, and only the last one its mark. */
function nonceOf(part: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES)
  nonce.writeUInt32BE(part, NONCE_BYTES - 5)
  nonce[NONCE_BYTES - 1] = isLast ? 1 : 0
  return nonce
}

export function createContentSealer(
  keys: RecordKeys,
  store: Pick<ExchangeLogStore, 'stage' | 'unstage'>,
): ContentSealer {
  return {
    seal: async ({ headers, body }, keep) => {
      if (keep === 'none') return undefined
      const key = createSecretKey(randomBytes(KEY_BYTES))
      const headerPart = sealPart(key, 0, keep === 'digest', headerBlockBytes(headers))
      if (keep === 'digest') return bindable(keys, key, 'headers', { parts: [headerPart] })
      const { bytes } = body
      if (bytes !== undefined) {
        const parts = [headerPart, ...sealBytes(key, bytes)]
        return bindable(keys, key, 'headers and body', { parts })
      }
      const staged = randomStaged()
      await stageBody({ key, store, staged }, headerPart, body)
      return bindable(keys, key, 'headers and body', { staged })
    },
  }
}

function bindable(
  keys: RecordKeys,
  key: KeyObject,
  what: What,
  where: { readonly parts: readonly Buffer[] } | { readonly staged: number },
): UnboundContent {
  return {
    bind: (commitment): SealedContent => {
      const wrapped = keys.wrap(key, contextOf(commitment, what))
      return { wrappedKey: wrapped, ...where }
    },
  }
}

function sealPart(key: KeyObject, part: number, isLast: boolean, plain: Buffer): Buffer {
  return encrypt(key, nonceOf(part, isLast), NOTHING, plain)
}

/** At least one part, so that the end of an empty body is marked too. */
function* sealBytes(key: KeyObject, bytes: Buffer): Generator<Buffer> {
  for (let part = 1, from = 0; part === 1 || from < bytes.length; part += 1, from += PART_BYTES) {
    const plain = bytes.subarray(from, from + PART_BYTES)
    yield sealPart(key, part, from + PART_BYTES >= bytes.length, plain)
  }
}

const randomStaged = (): number => Number(randomBytes(8).readBigUInt64BE() >> 11n) || 1

/** In constant memory: a few parts are under way, and the body waits for them. */
async function stageBody(
  to: { key: KeyObject; store: Pick<ExchangeLogStore, 'stage' | 'unstage'>; staged: number },
  headerPart: Buffer,
  body: SpooledBody,
): Promise<void> {
  const { key, store, staged } = to
  const underWay: Promise<void>[] = []
  const put = async (part: number, bytes: Buffer): Promise<void> => {
    if (underWay.length >= IN_FLIGHT) await underWay.shift()
    const staging = store.stage(staged, part, bytes)
    staging.catch(() => undefined) // it is awaited, only later
    underWay.push(staging)
  }
  try {
    await put(0, headerPart)
    let part = 1
    for await (const { plain, isLast } of piecesOf(body)) {
      await put(part, sealPart(key, part, isLast, plain))
      part += 1
    }
    await Promise.all(underWay)
  } catch (error) {
    await Promise.allSettled(underWay)
    // What cannot be taken back now is swept at the next start.
    await store.unstage(staged).catch(() => undefined)
    throw error
  }
}

async function* piecesOf(body: SpooledBody): AsyncGenerator<{ plain: Buffer; isLast: boolean }> {
  let chunks: Buffer[] = []
  let held = 0
  let left = body.size
  for await (const chunk of body.open() as AsyncIterable<Buffer>) {
    for (let from = 0; from < chunk.length;) {
      const taken = chunk.subarray(from, from + PART_BYTES - held)
      chunks.push(taken)
      held += taken.length
      from += taken.length
      if (held < PART_BYTES) continue
      left -= held
      yield { plain: Buffer.concat(chunks), isLast: left === 0 }
      chunks = []
      held = 0
    }
  }
  if (held > 0 || body.size === 0) yield { plain: Buffer.concat(chunks), isLast: true }
}

/** Content of one record, wherever its parts are. */
export interface ContentSource {
  readonly commitment: Buffer
  readonly wrappedKey: Buffer
  part(number: number): Promise<Buffer | undefined>
}

/** The header block of a record, as it is hashed. @throws LogContentError, KeyError */
export async function openHeaders(keys: RecordKeys, source: ContentSource): Promise<Buffer> {
  const { key, what } = await openKey(keys, source)
  return openPart(key, 0, what === 'headers', await source.part(0))
}

/** The body; undefined when only the header block was kept. Fails with LogContentError. */
export async function openBody(
  keys: RecordKeys,
  source: ContentSource,
): Promise<Readable | undefined> {
  const { key, what } = await openKey(keys, source)
  if (what === 'headers') return undefined
  return Readable.from(openParts(key, source), { objectMode: false })
}

async function* openParts(key: KeyObject, source: ContentSource): AsyncGenerator<Buffer> {
  let next = await source.part(1)
  for (let part = 1; ; part += 1) {
    const sealed = next
    next = await source.part(part + 1)
    const isLast = next === undefined
    const plain = openPart(key, part, isLast, sealed)
    if (plain.length > 0) yield plain
    if (isLast) return
  }
}

function openPart(
  key: KeyObject,
  part: number,
  isLast: boolean,
  sealed: Buffer | undefined,
): Buffer {
  const plain = sealed && decrypt(key, nonceOf(part, isLast), NOTHING, sealed)
  if (plain !== undefined) return plain
  const name = part === 0 ? 'the header block' : `part ${part} of the body`
  throw new LogContentError(`${name} is missing, was altered, or others behind it were removed`)
}

async function openKey(
  keys: RecordKeys,
  { wrappedKey, commitment }: ContentSource,
): Promise<{ key: KeyObject; what: What }> {
  try {
    const what = 'headers and body'
    return { key: await keys.unwrap(wrappedKey, contextOf(commitment, what)), what }
  } catch (error) {
    if (!(error instanceof LogContentError)) throw error
    const what = 'headers'
    return { key: await keys.unwrap(wrappedKey, contextOf(commitment, what)), what }
  }
}

type ReadableStore = Pick<ExchangeLogStore, 'wrappedKey' | 'after' | 'contentPart'>

export function createContentReader(keys: RecordKeys, store: ReadableStore): ContentReader {
  const sourceOf = async (position: number): Promise<ContentSource | undefined> => {
    const wrappedKey = await store.wrappedKey(position)
    if (wrappedKey === undefined) return undefined
    const [record] = await store.after(position - 1, 1)
    if (record?.position !== position) return undefined // it left with an archive
    return {
      wrappedKey,
      commitment: record.commitment,
      part: (number) => store.contentPart(position, number),
    }
  }
  return {
    headers: async (position) => {
      const source = await sourceOf(position)
      return source && openHeaders(keys, source)
    },
    body: async (position) => {
      const source = await sourceOf(position)
      return source && openBody(keys, source)
    },
  }
}
