/** Appends to the log in the file of its first argument, and prints each entry that was taken. */
import { openSqliteLogStore } from '../../exchange-log/store-sqlite.ts'
import { requestEntry } from './exchange-log-entries.ts'

const store = await openSqliteLogStore(process.argv[2]!, { maxBytes: 1_000_000_000 })
let next = 0

async function appendForever(): Promise<never> {
  for (;;) {
    const exchangeId = `x-${(next += 1)}`
    const position = await append(store, requestEntry(exchangeId))
    process.stdout.write(`${position} ${exchangeId}\n`)
  }
}
await Promise.all(Array.from({ length: 8 }, appendForever))
