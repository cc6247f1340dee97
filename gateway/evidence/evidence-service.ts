import { setTimeout as delay } from 'node:timers/promises'
import { ExchangeError } from '../../protocol/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import { EvidenceSourceError, type Evidence } from '../../exchange-log/evidence/evidence.ts'
import {
  gatherEvidence,
  pendingProofs,
  type EvidenceSources,
} from '../../exchange-log/evidence/gather.ts'
import { incompleteness, type Absence } from '../../exchange-log/evidence/layout.ts'
import { LogStoreError } from '../../exchange-log/store.ts'
import { StampStoreError } from '../../exchange-log/stamp-store.ts'
import { TreeStoreError } from '../../exchange-log/tree-store.ts'
import { ValidationStoreError } from '../../exchange-log/validation-store.ts'
import type { Side, StoredRecord } from '../../exchange-log/record.ts'

export interface EvidenceRequest {
  readonly exchangeId: string
  readonly side: Side | undefined
  readonly allowIncomplete: boolean
  /** Of the records with that id those that whoever asks may see. */
  readonly visible: (records: readonly StoredRecord[]) => StoredRecord[]
}

export interface EvidenceService {
  /**
   * What proves an exchange. A checkpoint, cosignatures and a time-stamp that are not there yet are made to come.
   *
   * @throws ExchangeError `admin.not-found`; `evidence.incomplete` naming what is missing; `evidence.altered`;
   * `log.unavailable`.
   */
  obtain(request: EvidenceRequest): Promise<Evidence>
}

export interface EvidenceServiceDeps extends EvidenceSources {
  readonly integrateNow: () => Promise<void>
  readonly stampNow: () => Promise<void>
  readonly logger: Logger
  /** How long a request for evidence waits for what is missing. */
  readonly waitMs?: number
}

const WAIT_MS = 5000
const LOOK_MS = 200

export function createEvidenceService(deps: EvidenceServiceDeps): EvidenceService {
  const { logger, integrateNow, stampNow, waitMs = WAIT_MS } = deps

  /** The log as whoever asks sees it: of an id that several parties used, only their own run is chosen. */
  const sourcesOf = ({ visible }: EvidenceRequest): EvidenceSources => ({
    ...deps,
    records: {
      entries: async (id) => visible(await deps.records.entries(id)),
      events: (kinds, after, limit) => deps.records.events(kinds, after, limit),
      wrappedKey: (position) => deps.records.wrappedKey(position),
    },
  })

  const complete = async (
    { exchangeId, side }: EvidenceRequest,
    sources: EvidenceSources,
  ): Promise<void> => {
    const deadline = new AbortController()
    const timer = setTimeout(() => deadline.abort(), waitMs)
    const over = new Promise<void>((done) =>
      deadline.signal.addEventListener('abort', () => done()),
    )
    try {
      let pending = await pendingProofs(exchangeId, side, sources)
      while (pending !== undefined && pending.length > 0 && !deadline.signal.aborted) {
        // A stamp and cosignatures are for a checkpoint: that comes first.
        await Promise.race([over, integrateNow().then(stampNow)])
        pending = await pendingProofs(exchangeId, side, sources)
        if (pending !== undefined && pending.length > 0) await Promise.race([over, delay(LOOK_MS)])
      }
    } finally {
      clearTimeout(timer)
    }
  }

  return {
    obtain: async (request) => {
      const { exchangeId, side, allowIncomplete } = request
      const found = await asRefusal(exchangeId, logger, async () => {
        const sources = sourcesOf(request)
        await complete(request, sources)
        return gatherEvidence(exchangeId, side, sources)
      })
      if (found === undefined) {
        throw new ExchangeError('admin.not-found', `the log has no exchange ${exchangeId}`)
      }
      const lacking = incompleteness(found.absent)
      if (lacking.length === 0 || allowIncomplete) return found
      throw new ExchangeError('evidence.incomplete', sentenceOf(lacking))
    },
  }
}

function sentenceOf(lacking: readonly Absence[]): string {
  return lacking.map(({ what, detail }) => `${what}: ${detail}`).join('; ')
}

async function asRefusal<T>(id: string, logger: Logger, gather: () => Promise<T>): Promise<T> {
  try {
    return await gather()
  } catch (cause) {
    if (cause instanceof EvidenceSourceError) {
      logger.error({ id, err: cause }, 'the exchange log was altered')
      throw new ExchangeError('evidence.altered', cause.message, { cause })
    }
    const kinds = [LogStoreError, StampStoreError, TreeStoreError, ValidationStoreError]
    if (!kinds.some((kind) => cause instanceof kind)) throw cause
    logger.error({ id, err: cause }, 'evidence cannot be gathered')
    throw new ExchangeError('log.unavailable', 'the exchange log cannot be read', { cause })
  }
}
