/** Reads the checkpoints of a log while its gateway comes and goes, as an outsider does who remembers them. */
import { setTimeout as delay } from 'node:timers/promises'
import { createApiClient } from '../../runtime/api-client.ts'

export interface Watch {
  /** Every checkpoint that was seen. */
  readonly notes: ReadonlySet<string>
  stop(): Promise<void>
}

const LOOK_MS = 60

export function watchLog(url: string, ca: string): Watch {
  const notes = new Set<string>()
  let on = true
  const look = async (): Promise<void> => {
    await using anyone = createApiClient({ url, ca })
    while (on) {
      const note = await anyone.call<string>('GET', '/log/checkpoint').catch(() => undefined)
      if (note !== undefined) notes.add(note)
      await delay(LOOK_MS)
    }
  }
  const looking = look()
  return {
    notes,
    stop: async () => {
      on = false
      await looking
    },
  }
}
