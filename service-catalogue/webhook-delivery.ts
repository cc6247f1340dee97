import { lookup } from 'node:dns'
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { rootCertificates } from 'node:tls'
import { Agent, request } from 'undici'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { hasContractFor } from './consumers.ts'
import { isPublicAddress } from './public-address.ts'
import { isWithin } from './scope.ts'
import { serviceEvents, type ServiceEvent } from './service-events.ts'
import type { SnapshotKey } from './snapshot-key.ts'
import type { WebhookRow } from './webhooks.ts'

/** `typ` of what is sent: a JWT (RFC 7519) that is no snapshot and no token of anybody. */
export const EVENT_TYPE = 'spean-event+jwt'

const ANSWER_MS = 10_000
const FIRST_PAUSE_MS = 5_000
const LONGEST_PAUSE_MS = 3_600_000
/** A receiver that is away for so long has to be put again. */
const PATIENCE_MS = 7 * 86_400_000
/** Of one receiver, until it is looked at anew. */
const EVENTS_IN_ROUND = 50

export interface WebhookDelivery extends AsyncDisposable {
  /** Begins to send what is due, each receiver's events in their order; a slow one holds back no other. */
  readonly run: () => void
}

/** Refused before anything is sent. */
class AddressRefused extends TypeError {
  override readonly name = 'AddressRefused'
  readonly code = 'ADDRESS_REFUSED'
}

interface Deps {
  readonly instance: string
  readonly db: Database
  readonly clock: Clock
  readonly logger: Logger
  readonly key: SnapshotKey
  /** Receivers may have certificates of the instance, beside those of public authorities. */
  readonly rootCertificateFile: string
  /** Whether private addresses are called too. */
  readonly toPrivate: boolean
}

/**
 * Tells webhooks of events, at least once and in order, across restarts: a position moves on when its
 * receiver answered 2xx. Redirects are not followed, and an address is judged as it is connected to.
 */
export function createWebhookDelivery(deps: Deps): WebhookDelivery {
  const { db, clock, logger } = deps
  const agent = createAgent(deps)
  /** By the id of the webhook. */
  const underWay = new Map<string, Promise<void>>()
  const begin = (webhook: WebhookRow): void => {
    const { id } = webhook
    const sending = sendDue(webhook, deps, agent)
      .catch((err: unknown) => logger.error({ err, webhook: id }, 'webhook not served'))
      .finally(() => underWay.delete(id))
    underWay.set(id, sending)
  }
  const run = (): void => {
    const due = db.all<WebhookRow>(
      `SELECT * FROM webhook WHERE suspended = 0 AND nextAttemptAt <= ?
         AND position < (SELECT coalesce(max(position), 0) FROM service_event)`,
      clock().toISOString(),
    )
    for (const webhook of due) if (!underWay.has(webhook.id)) begin(webhook)
  }
  return {
    run,
    [Symbol.asyncDispose]: async () => {
      await agent.destroy()
      await Promise.all(underWay.values())
      logger.debug('webhooks stopped')
    },
  }
}

async function sendDue(webhook: WebhookRow, deps: Deps, agent: Agent): Promise<void> {
  const { db, logger } = deps
  const { id, position } = webhook
  for (const event of serviceEvents(db, { after: position, limit: EVENTS_IN_ROUND })) {
    if (isMeantFor(webhook, event.service, deps)) {
      const fault = await send(webhook, event, deps, agent)
      if (fault !== undefined) {
        if (agent.destroyed) return // we stop, it did not fail
        recordFault(webhook, fault, deps)
        logger.warn({ webhook: id, event: event.id, fault }, 'webhook not reached')
        return
      }
    }
    db.run(
      `UPDATE webhook SET position = ?, attempts = 0, failingSince = NULL, lastError = NULL
       WHERE id = ?`,
      event.position,
      id,
    )
  }
}

/** By what it asked for; else what its scope offers, and what it has contracts for. The operator's hears of all. */
function isMeantFor({ services, scope }: WebhookRow, service: string, deps: Deps): boolean {
  if (services !== null) return (JSON.parse(services) as string[]).includes(service)
  if (scope === null) return true
  const ids = JSON.parse(scope) as string[]
  return isWithin(ids, service) || hasContractFor(deps.db, ids, service, deps.clock())
}

/** @returns undefined when the receiver has it, else why not. */
async function send(
  { url }: WebhookRow,
  event: ServiceEvent,
  { instance, key, clock, toPrivate }: Deps,
  agent: Agent,
): Promise<string | undefined> {
  try {
    const { hostname } = new URL(url)
    const literal = hostname.replace(/^\[|\]$/g, '')
    if (isIP(literal) !== 0) refusePrivate(literal, toPrivate)
    const iat = Math.floor(clock().getTime() / 1000)
    const claims = { iss: instance, aud: url, jti: event.id, iat, event }
    const { statusCode, body } = await request(url, {
      dispatcher: agent,
      method: 'POST',
      headers: { 'content-type': 'application/jwt', 'user-agent': 'spean-catalogue' },
      body: await key.sign(JSON.stringify(claims), EVENT_TYPE),
      signal: AbortSignal.timeout(ANSWER_MS),
    })
    await body.dump({ limit: 65_536 })
    return statusCode >= 200 && statusCode < 300 ? undefined : `answered ${statusCode}`
  } catch (error) {
    const { code, name } = error as NodeJS.ErrnoException
    return code ?? name
  }
}

/** Pauses double, from five seconds to an hour. */
function recordFault(
  { id, attempts, failingSince }: WebhookRow,
  fault: string,
  { db, clock }: Deps,
): void {
  const now = clock()
  const since = failingSince ?? now.toISOString()
  const pause = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(attempts, 20), LONGEST_PAUSE_MS)
  const isTooLong = now.getTime() - Date.parse(since) >= PATIENCE_MS
  db.run(
    `UPDATE webhook SET attempts = attempts + 1, failingSince = ?, lastError = ?, nextAttemptAt = ?,
       suspended = ? WHERE id = ?`,
    since,
    fault,
    new Date(now.getTime() + pause).toISOString(),
    isTooLong ? 1 : 0,
    id,
  )
}

function refusePrivate(address: string, toPrivate: boolean): void {
  if (toPrivate || isPublicAddress(address)) return
  throw new AddressRefused(`${address} is no public address`)
}

/** Judges each address that a name leads to as it is connected to: the name may lead elsewhere a second later. */
function createAgent({ rootCertificateFile, toPrivate }: Deps): Agent {
  return new Agent({
    connections: 2,
    connect: {
      ca: [...rootCertificates, readFileSync(rootCertificateFile, 'utf8')],
      timeout: ANSWER_MS,
      lookup: (hostname, options, callback) => {
        lookup(hostname, { ...options, all: true }, (error, addresses) => {
          if (error) return callback(error, [])
          try {
            for (const { address } of addresses) refusePrivate(address, toPrivate)
          } catch (refused) {
            return callback(refused as NodeJS.ErrnoException, [])
          }
          const [first] = addresses
          if (options.all === true || first === undefined) return callback(null, addresses)
          return callback(null, first.address, first.family)
        })
      },
    },
  })
}
