/** Each write of the exchange log fails once: not persisted, or persisted and the answer lost. */
import { describe, it } from 'vitest'
import { openSqliteLogStore } from '../../exchange-log/store-sqlite.ts'
import { LogStoreError, type ExchangeLogStore } from '../../exchange-log/store.ts'
import { openSqliteTreeStore } from '../../exchange-log/tree-store-sqlite.ts'
import { everyWrite, exchangeWithFailure, withNthAppend } from './failing-writes.ts'

type Loss = 'not persisted' | 'persisted, unanswered'

const failing = (store: ExchangeLogStore, nth: number, loss: Loss): ExchangeLogStore =>
  withNthAppend(store, nth, async (record) => {
    if (loss === 'persisted, unanswered') await store.append(record)
    throw new LogStoreError('the answer of the disk was lost')
  })

const cases = everyWrite<Loss>(['not persisted', 'persisted, unanswered'])

describe('a write of the log that fails', () => {
  it.each(cases)('$side, write $nth, $way', ({ side, way, nth }) =>
    exchangeWithFailure(nth, async (name, folder) => {
      await using opening = new AsyncDisposableStack()
      const file = `${folder}/${name}.db`
      const records = opening.use(await openSqliteLogStore(file, { maxBytes: 1e9 }))
      const tree = opening.use(openSqliteTreeStore(`${folder}/${name}-tree.db`))
      const store = name === side ? failing(records, nth, way) : records
      const open = opening.move()
      return { records, tree, store, [Symbol.asyncDispose]: () => open.disposeAsync() }
    }),
  )
})
