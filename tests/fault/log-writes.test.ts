/** Each write of the exchange log fails once: not persisted, or persisted and the answer lost. */
import { describe, it } from 'vitest'
import { openSqliteLogStore } from '../../exchange-log/store-sqlite.ts'
import { LogStoreError, type ExchangeLogStore } from '../../exchange-log/store.ts'
import { openSqliteTreeStore } from '../../exchange-log/tree-store-sqlite.ts'
import { exchangeWithFailure, SIDES, WRITES } from './failing-writes.ts'

type Loss = 'not persisted' | 'persisted, unanswered'

/** Fails the nth append, counted from 0. */
function failing(store: ExchangeLogStore, nth: number, loss: Loss): ExchangeLogStore {
  let writes = 0
  return {
    ...store,
    append: async (record) => {
      writes += 1
      if (writes !== nth + 1) return store.append(record)
      if (loss === 'persisted, unanswered') await store.append(record)
      throw new LogStoreError('the answer of the disk was lost')
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

const cases = SIDES.flatMap((side) =>
  (['not persisted', 'persisted, unanswered'] as const).flatMap((loss) =>
    Array.from({ length: WRITES }, (_, nth) => ({ side, loss, nth })),
  ),
)

describe('a write of the log that fails', () => {
  it.each(cases)('$side, write $nth, $loss', ({ side, loss, nth }) =>
    exchangeWithFailure(nth, async (name, folder) => {
      await using opening = new AsyncDisposableStack()
      const file = `${folder}/${name}.db`
      const records = opening.use(await openSqliteLogStore(file, { maxBytes: 1e9 }))
      const tree = opening.use(openSqliteTreeStore(`${folder}/${name}-tree.db`))
      const store = name === side ? failing(records, nth, loss) : records
      const open = opening.move()
      return { records, tree, store, [Symbol.asyncDispose]: () => open.disposeAsync() }
    }),
  )
})
