/** Appends to the log of its first argument until it is killed, and prints each entry that was taken. */
import { LogStoreError } from '../../exchange-log/store.ts'
import { append, requestEntry } from './exchange-log-entries.ts'
import { openLogAt } from './open-log-at.ts'

const store = await openLogAt(process.argv[2]!)
let next = 0

async function appendForever(): Promise<never> {
  for (;;) {
    const exchangeId = `${process.pid}-${(next += 1)}`
    const position = await append(store, requestEntry(exchangeId)).catch(refused)
    if (position !== undefined) process.stdout.write(`${position} ${exchangeId}\n`)
  }
}
/** Others write to the same log: it may be theirs for longer than it waits. */
function refused(error: unknown): undefined {
  if (!(error instanceof LogStoreError && error.message === 'database is locked')) throw error
}
await Promise.all(Array.from({ length: 8 }, appendForever))
