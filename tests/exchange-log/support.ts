import { createHash, randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { createExchangeLog, type GatewayLog } from '../../gateway/exchange-log/log.ts'
import type { KeepingRule } from '../../exchange-log/config.ts'
import type { ContentReader, MessageContent } from '../../exchange-log/content.ts'
import { openEncryptionKey } from '../../exchange-log/encryption-key.ts'
import { createErasure, type Erasure } from '../../exchange-log/erasure.ts'
import { openLogStores } from '../../exchange-log/open-log.ts'
import { createRecordKeys, type RecordKeys } from '../../exchange-log/record-keys.ts'
import { createContentReader, createContentSealer } from '../../exchange-log/sealing.ts'
import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import type { Clock } from '../../runtime/clock.ts'
import { createLogger } from '../../runtime/logger.ts'
import { EMPTY_BODY, type SpooledBody } from '../../runtime/spool.ts'

export const silent = createLogger('test', 'silent')
export const NOW = new Date('2026-06-01T12:00:00Z')

/** A log with its encryption key, in a folder. */
export interface OpenLog extends AsyncDisposable {
  readonly records: ExchangeLogStore
  readonly keys: RecordKeys
  readonly log: GatewayLog
  readonly content: ContentReader
  readonly erasure: Erasure
}

export async function openLog(
  stateDir: string,
  { rules = [], clock = () => NOW }: { rules?: KeepingRule[]; clock?: Clock } = {},
): Promise<OpenLog> {
  const stores = await openLogStores({ stateDir, maxBytes: 1_073_741_824 })
  const { records } = stores
  const key = await openEncryptionKey(join(stateDir, 'log-encryption.key'), { mayMake: true })
  const keys = await createRecordKeys({ key, clock, logger: silent })
  const log = createExchangeLog(records, {
    ...{ clock, logger: silent },
    privacy: {
      sealer: createContentSealer(keys, records),
      rules,
      classificationOf: (service) => (service.endsWith('/health') ? 'sensitive' : undefined),
    },
  })
  return {
    records,
    keys,
    log,
    content: createContentReader(keys, records),
    erasure: createErasure({ store: records, record: (event) => log.recordEvent(event), clock }),
    [Symbol.asyncDispose]: () => stores[Symbol.asyncDispose](),
  }
}

export function bodyOf(bytes: Buffer): SpooledBody {
  const digest = createHash('sha256').update(bytes).digest('base64url')
  return { ...EMPTY_BODY, size: bytes.length, digest, bytes, open: () => Readable.from([bytes]) }
}

/** The same as a body that is not in memory, in chunks as they may come from a file. */
export function storedBodyOf(bytes: Buffer, chunkBytes = 65_536): SpooledBody {
  const chunks = Array.from({ length: Math.ceil(bytes.length / chunkBytes) }, (_, i) =>
    bytes.subarray(i * chunkBytes, (i + 1) * chunkBytes),
  )
  return { ...bodyOf(bytes), bytes: undefined, open: () => Readable.from(chunks) }
}

export const message = (body: SpooledBody): MessageContent => ({
  headers: [
    ['content-type', 'text/plain'],
    ['x-road-userid', 'user'],
  ],
  body,
})
export const HEADERS = 'content-type:text/plain\nx-road-userid:user\n'

export async function readBody(
  content: ContentReader,
  position: number,
): Promise<Buffer | undefined> {
  const stream = await content.body(position)
  return stream && buffer(stream)
}

export const random = (bytes: number): Buffer => randomBytes(bytes)
