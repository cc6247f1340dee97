/** Appends to the log of its first argument until it is killed, and prints each entry that was taken. */
import { append, requestEntry } from './exchange-log-entries.ts'
import { openLogAt } from './open-log-at.ts'

const store = await openLogAt(process.argv[2]!)
let next = 0

async function appendForever(): Promise<never> {
  for (;;) {
    const exchangeId = `${process.pid}-${(next += 1)}`
    const position = await append(store, requestEntry(exchangeId))
    process.stdout.write(`${position} ${exchangeId}\n`)
  }
}
await Promise.all(Array.from({ length: 8 }, appendForever))
