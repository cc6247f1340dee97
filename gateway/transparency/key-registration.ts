import { formatVkey } from '../../protocol/signed-note.ts'
import type { RegistrationKey } from '../../protocol/registration.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import { WITNESS_PREFIX } from '../../witness/witness-routes.ts'
import type { IndexedSnapshot } from '../catalogue/view.ts'
import type { SnapshotClient } from '../catalogue/snapshot-client.ts'
import type { GatewayConfig } from '../config.ts'
import type { OwnLogKeys } from '../own-log-keys.ts'
import type { Registrar } from '../renewal/registrar.ts'

/** What others are to know of this gateway's log and of it as a witness. */
export interface PublishedKeys {
  readonly log: RegistrationKey
  /** Undefined when it is none, or the port that it would answer on is closed. */
  readonly witness: RegistrationKey | undefined
  /** Whether the snapshot has all of it. */
  readonly isListed: boolean
  /** Why it is not listed yet. */
  readonly fault: { readonly code: string; readonly detail: string } | undefined
}
export interface KeyRegistration extends AsyncDisposable {
  /** Without addresses while the catalogue does not know the gateway. */
  describe(): PublishedKeys
}

const FIRST_RETRY_MS = 2000
const LONGEST_RETRY_MS = 10 * 60_000
/** How long the snapshot that follows a registration may take. */
const ARRIVAL_MS = 30_000

/** Has the catalogue list the keys of this gateway whenever its snapshot lacks them. */
export function startKeyRegistration(deps: {
  readonly config: GatewayConfig
  readonly keys: OwnLogKeys
  readonly catalogue: SnapshotClient
  readonly register: Registrar
  readonly logger: Logger
}): KeyRegistration {
  const { config, keys, catalogue, register, logger } = deps
  let fault: PublishedKeys['fault']
  let failures = 0
  let notBefore = 0
  let closed = false
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> | undefined

  const wanted = (): Pick<PublishedKeys, 'log' | 'witness'> => {
    const { port, witness: isWitness } = config.transparency
    const base = baseUrlOf(config, catalogue.newest)
    const at = (path: string): { url?: string } => (base === undefined ? {} : { url: base + path })
    const witness = { vkey: formatVkey(keys.witness.verifier), ...at(WITNESS_PREFIX) }
    return {
      log: { vkey: formatVkey(keys.log.verifier), ...at('/log') },
      witness: port === 0 || isWitness === false ? undefined : witness,
    }
  }
  const look = async (): Promise<void> => {
    const { newest } = catalogue
    if (newest?.gateway(config.gatewayId) === undefined) return
    const own = wanted()
    if (isListed(newest, own)) {
      fault = undefined
      failures = 0
      return
    }
    if (performance.now() < notBefore) return
    try {
      const { log, witness } = own
      await register({ log, ...(witness === undefined ? {} : { witness }) })
      logger.info({ log: log.vkey, witness: witness?.vkey }, 'the keys of the log are registered')
      fault = undefined
      failures = 0
      notBefore = performance.now() + ARRIVAL_MS
    } catch (error) {
      if (closed) return
      const { code, message } =
        error instanceof ExchangeError ? error : { code: 'internal', message: String(error) }
      if (fault?.code !== code || fault.detail !== message) {
        logger.warn(
          { code, err: error },
          'the keys of the log are not registered yet; tried again by itself',
        )
      }
      fault = { code, detail: message }
      failures += 1
      const waitMs = Math.min(FIRST_RETRY_MS * 2 ** (failures - 1), LONGEST_RETRY_MS)
      notBefore = performance.now() + waitMs
    }
  }
  const run = (): void => {
    if (closed || running !== undefined) return
    clearTimeout(timer)
    running = look().finally(() => {
      running = undefined
      if (closed) return
      timer = setTimeout(run, Math.max(1000, notBefore - performance.now()))
      timer.unref()
    })
  }
  catalogue.subscribe(run)
  return {
    describe: () => {
      const own = wanted()
      const { newest } = catalogue
      return { ...own, isListed: newest !== undefined && isListed(newest, own), fault }
    },
    [Symbol.asyncDispose]: async () => {
      closed = true
      clearTimeout(timer)
      await running
    },
  }
}

/** Where others reach the port for everybody; undefined when it is closed, or the catalogue does not know the gateway. */
function baseUrlOf(
  { gatewayId, transparency: { port, url } }: GatewayConfig,
  snapshot: IndexedSnapshot | undefined,
): string | undefined {
  const registered = snapshot?.gateway(gatewayId)
  if (port === 0 || registered === undefined) return undefined
  return url ?? `https://${new URL(registered.address).hostname}:${port}`
}

function isListed(
  { logPolicy }: IndexedSnapshot,
  { log, witness }: Pick<PublishedKeys, 'log' | 'witness'>,
): boolean {
  const { logs = [], witnesses = [] } = logPolicy?.policy ?? {}
  const has = (
    listed: readonly {
      readonly verifier: Parameters<typeof formatVkey>[0]
      readonly url: string | undefined
    }[],
    { vkey, url }: RegistrationKey,
  ): boolean => listed.some((one) => formatVkey(one.verifier) === vkey && one.url === url)
  return has(logs, log) && (witness === undefined || has(witnesses, witness))
}
