/** A log through the stores of a gateway, whatever database they are in. */
import { archivedUpTo } from '../archive/archive-event.ts'
import type { LogStores } from '../open-log.ts'
import { recordText, type StoredRecord } from '../record.ts'
import type { ExchangeLogStore } from '../store.ts'
import { erasuresOf } from './erasures.ts'
import type { CheckedRecord, LogSource, RecordSource } from './source.ts'

const EVENTS = 1000

/** The stores stay open when it is disposed of. */
export function storesSource(stores: LogStores): LogSource {
  const { records, tree, stamps, validation } = stores
  const source = { records: recordsOf(records), tree, stamps, validation }
  return { ...source, [Symbol.asyncDispose]: () => Promise.resolve() }
}

function recordsOf(store: ExchangeLogStore): RecordSource {
  const erasures = erasuresOf(async (after) =>
    (await store.events(['erasure'], after, EVENTS)).map(({ position, detail = '' }) => ({
      position,
      detail,
    })),
  )
  return {
    extent: () => store.extent(),
    records: async (after, upTo) => {
      const records = await store.after(after, Math.max(0, upTo - after))
      return records.filter(({ position }) => position <= upTo).map(toChecked)
    },
    next: async (after) => (await store.after(after, 1))[0]?.position,
    contents: async (after, upTo) => {
      const owners = await store.contents({ after, limit: upTo - after })
      const within = owners.filter(({ position }) => position <= upTo)
      const parts = async (position: number): Promise<number> => {
        for (let part = 0; part < 2; part += 1) {
          if ((await store.contentPart(position, part)) === undefined) return part
        }
        return 2
      }
      const counted = within.map(async ({ position }) => {
        return [position, { hasKey: true, parts: await parts(position) }] as const
      })
      return new Map(await Promise.all(counted))
    },
    content: async ({ position, commitment }) => {
      const wrappedKey = await store.wrappedKey(position)
      if (wrappedKey === undefined) return undefined
      const part = (number: number) => store.contentPart(position, number)
      return { wrappedKey, commitment: Buffer.from(commitment), part }
    },
    archivedUpTo: async () => {
      let upTo = 0
      for (let after = 0; ;) {
        const events = await store.events(['archive'], after, EVENTS)
        for (const { detail } of events) upTo = Math.max(upTo, archivedUpTo(detail))
        if (events.length < EVENTS) return upTo
        after = events.at(-1)!.position
      }
    },
    isErased: ({ position }) => erasures.covers(position),
  }
}

function toChecked(stored: StoredRecord): CheckedRecord {
  const { position, salt, commitment, ...record } = stored
  return {
    ...{ position, salt, commitment, text: recordText(record) },
    ...{ exchangeId: record.exchangeId, kind: record.kind, kept: record.kept },
    ...{ recordedAt: record.recordedAt.getTime(), manifest: record.manifest },
    detail: record.detail,
  }
}
