import type { ReachableRecords } from '../exchange-log/archive/archived-records.ts'
import type { Classification } from '../exchange-log/config.ts'
import { LogContentError, type ContentReader } from '../exchange-log/content.ts'
import { openEncryptionKey } from '../exchange-log/encryption-key.ts'
import { createErasure } from '../exchange-log/erasure.ts'
import { createRecordKeys } from '../exchange-log/record-keys.ts'
import { startRetention } from '../exchange-log/retention.ts'
import { createContentReader, createContentSealer } from '../exchange-log/sealing.ts'
import { LogStoreError, type ExchangeLogStore } from '../exchange-log/store.ts'
import { readPassphrase } from '../pki/keys.ts'
import type { Route } from '../runtime/admin-api.ts'
import type { Clock } from '../runtime/clock.ts'
import { ConfigError } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import type { SnapshotClient } from './catalogue/snapshot-client.ts'
import type { GatewayConfig } from './config.ts'
import { openClassifications } from './exchange-log/classifications.ts'
import { createExchangeLog, type GatewayLog } from './exchange-log/log.ts'
import { createErasureRoutes } from './http/erasure-routes.ts'
import type { MeasuredClock } from './trust/clock-check.ts'

/** The exchange log of a gateway, and what becomes of header blocks and bodies in it. */
export interface PrivateLog {
  readonly log: GatewayLog
  /** Header blocks and bodies of records. */
  readonly content: ContentReader
  /** Erasure, legal holds, retention. */
  readonly routes: readonly Route[]
  /** What an operator should look at, in sentences. */
  readonly warnings: () => string[]
}

/**
 * @param deps.scope ends retention.
 * @throws ConfigError when the encryption key cannot be opened.
 */
export async function openPrivateLog(
  config: GatewayConfig,
  deps: {
    readonly records: ExchangeLogStore
    /** The log with what left it. */
    readonly reachable: ReachableRecords
    readonly catalogue: SnapshotClient
    readonly clockCheck: MeasuredClock
    readonly scope: AsyncDisposableStack
    readonly clock: Clock
    readonly logger: Logger
  },
): Promise<PrivateLog> {
  const { records, reachable, catalogue, clockCheck, scope, clock, logger } = deps
  const { stateDir, exchangeLog } = config
  const { rules } = exchangeLog
  const newest = await newestContent(records)
  const key = await openEncryptionKey(
    exchangeLog.encryptionKey ?? `${stateDir}/log-encryption.key`,
    { mayMake: newest === undefined, passphrase: passphraseOf(config) },
  )
  const keys = await createRecordKeys({ key, clock, logger })
  const content = createContentReader(keys, reachable)
  const inLog = createContentReader(keys, records) // an archive may be far
  const fault = newest === undefined ? undefined : await openingFault(inLog, newest)
  if (fault !== undefined) logger.error({ err: fault.cause, position: newest }, fault.message)

  const classes = openClassifications(`${stateDir}/service-classifications.json`)
  catalogue.subscribe((snapshot) => classes.learn(snapshot))
  const classificationOf = (service: string): Classification | undefined => classes.of(service)
  const sealer = createContentSealer(keys, records)
  const privacy = { sealer, rules, classificationOf }
  const log = createExchangeLog(records, { clock, logger, privacy })
  const erasure = createErasure({
    store: records,
    record: (event) => log.recordEvent(event),
    clock,
  })
  const verifyClock = (): void => clockCheck.verify()
  const retention = scope.use(
    startRetention({
      ...{ store: records, erasure, rules, classificationOf, verifyClock, clock, logger },
    }),
  )
  const warnings = (): string[] => [
    ...(fault === undefined ? [] : [fault.message]),
    ...(retention.fault === undefined
      ? []
      : [`what is to be erased from the exchange log is not erased: ${retention.fault}`]),
  ]
  return { log, content, routes: createErasureRoutes({ erasure, retention }), warnings }
}

async function newestContent(records: ExchangeLogStore): Promise<number | undefined> {
  try {
    const [owner] = await records.contents({ newestFirst: true, limit: 1 })
    return owner?.position
  } catch (cause) {
    if (!(cause instanceof LogStoreError)) throw cause
    throw new ConfigError(`the exchange log cannot be read (${cause.message})`, { cause })
  }
}

/** Traffic goes on with another key; that what was kept before does not open any more must not stay unseen. */
async function openingFault(
  content: ContentReader,
  position: number,
): Promise<LogContentError | undefined> {
  try {
    await content.headers(position)
    return undefined
  } catch (cause) {
    const what = 'what the exchange log kept last does not open with exchangeLog.encryptionKey'
    return new LogContentError(`${what}; restore the right key`, { cause })
  }
}

function passphraseOf({ keyPassphraseFile: file }: GatewayConfig): string | undefined {
  const env = 'SPEAN_GATEWAY_PASSPHRASE'
  return readPassphrase({ env, ...(file === undefined ? {} : { file }) })
}
