import { createSecretKey, randomBytes, type KeyObject } from 'node:crypto'
import { KeyError } from '../pki/signing-key.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import { LogContentError } from './content.ts'
import {
  decrypt,
  encrypt,
  EncryptionKeyMismatch,
  KEY_BYTES,
  NONCE_BYTES,
  TAG_BYTES,
  type EncryptionKey,
} from './encryption-key.ts'

/** Encrypts the keys of records under a key of an epoch, and that one, once, under the encryption key. */
export interface RecordKeys {
  /** @param context what the key belongs to: it opens with nothing else. */
  wrap(recordKey: KeyObject, context: Buffer): Buffer
  /**
   * @throws LogContentError when it was altered, belongs to another record, or the encryption key is another one;
   * KeyError when the encryption key cannot be asked now.
   */
  unwrap(blob: Buffer, context: Buffer): Promise<KeyObject>
}

interface Epoch {
  readonly key: KeyObject
  /** Nonce and encrypted key, as they stand in each wrapped key of the epoch. */
  readonly sealed: Buffer
  readonly day: number
  uses: number
}

const VERSION = 1
const EPOCH_AAD = Buffer.from('spean log epoch key 1')
const EPOCH_BYTES = NONCE_BYTES + KEY_BYTES + TAG_BYTES
const BLOB_BYTES = 1 + EPOCH_BYTES + NONCE_BYTES + KEY_BYTES + TAG_BYTES
const DAY_MS = 86_400_000
/** Nonces of an epoch are counted, so that none stands twice; far fewer than GCM allows for one key. */
const MAX_USES = 2 ** 31
/** How long the encryption key is left alone after it failed. */
const RETRY_MS = 60_000
/** Epoch keys that stay opened: readers of old records ask a token once for each. */
const OPENED = 400

/** @throws KeyError when the encryption key cannot be asked. */
export async function createRecordKeys(deps: {
  readonly key: EncryptionKey
  readonly clock: Clock
  readonly logger: Logger
}): Promise<RecordKeys> {
  const { key: top, clock, logger } = deps
  const opened = new Map<string, KeyObject>()
  const remember = (sealed: Buffer, key: KeyObject): void => {
    if (opened.size >= OPENED) opened.delete(opened.keys().next().value!)
    opened.set(sealed.toString('latin1'), key)
  }
  const begin = async (): Promise<Epoch> => {
    const bytes = randomBytes(KEY_BYTES)
    const nonce = randomBytes(NONCE_BYTES)
    const sealed = Buffer.concat([nonce, await top.encrypt(nonce, EPOCH_AAD, bytes)])
    const key = createSecretKey(bytes)
    bytes.fill(0)
    remember(sealed, key)
    return { key, sealed, day: dayOf(clock()), uses: 0 }
  }
  let epoch = await begin()
  let renewing = false
  let retryAt = 0

  // Beside the traffic: the key of the day before does as well until the token is back.
  const renew = async (): Promise<void> => {
    renewing = true
    try {
      epoch = await begin()
    } catch (error) {
      retryAt = performance.now() + RETRY_MS
      if (!(error instanceof KeyError)) throw error
      logger.warn({ err: error }, 'the encryption key of the exchange log cannot be asked')
    } finally {
      renewing = false
    }
  }
  return {
    wrap: (recordKey, context) => {
      const isOver = epoch.day !== dayOf(clock()) || epoch.uses >= MAX_USES
      if (isOver && !renewing && performance.now() >= retryAt) void renew()
      const nonce = Buffer.alloc(NONCE_BYTES)
      nonce.writeUIntBE(epoch.uses, NONCE_BYTES - 6, 6)
      epoch.uses += 1
      const sealed = encrypt(epoch.key, nonce, context, recordKey.export())
      // Of its own memory: a worker is sent the whole of what a buffer is part of.
      const blob = Buffer.alloc(BLOB_BYTES)
      blob[0] = VERSION
      epoch.sealed.copy(blob, 1)
      nonce.copy(blob, 1 + EPOCH_BYTES)
      sealed.copy(blob, 1 + EPOCH_BYTES + NONCE_BYTES)
      return blob
    },
    unwrap: async (blob, context) => {
      if (blob.length !== BLOB_BYTES || blob[0] !== VERSION) {
        throw new LogContentError('the key of the record was altered: it has another form')
      }
      const sealed = blob.subarray(1, 1 + EPOCH_BYTES)
      let key = opened.get(sealed.toString('latin1'))
      if (key === undefined) {
        key = await openEpoch(top, sealed)
        remember(Buffer.from(sealed), key)
      }
      const nonce = blob.subarray(1 + EPOCH_BYTES, 1 + EPOCH_BYTES + NONCE_BYTES)
      const plain = decrypt(key, nonce, context, blob.subarray(1 + EPOCH_BYTES + NONCE_BYTES))
      if (plain !== undefined) return createSecretKey(plain)
      throw new LogContentError('the key of the record was altered, or is that of another record')
    },
  }
}

async function openEpoch(top: EncryptionKey, sealed: Buffer): Promise<KeyObject> {
  const nonce = sealed.subarray(0, NONCE_BYTES)
  try {
    return createSecretKey(await top.decrypt(nonce, EPOCH_AAD, sealed.subarray(NONCE_BYTES)))
  } catch (cause) {
    if (!(cause instanceof EncryptionKeyMismatch)) throw cause
    throw new LogContentError(
      `the record was encrypted under another key than ${top.name}, or its key was altered`,
      { cause },
    )
  }
}

function dayOf(at: Date): number {
  return Math.floor(at.getTime() / DAY_MS)
}
