/** A witness that is killed while it cosigns: tells its parent of each size that it answered for. */
import { parseVkey } from '../../protocol/signed-note.ts'
import { openWitnessState } from '../../witness/witness-state.ts'
import { createWitness } from '../../witness/witness.ts'
import { createKey, logger } from './keys.ts'

interface Order {
  readonly vkey: string
  readonly bodies: readonly string[]
}

process.once('message', (order: Order) => void cosign(order))

async function cosign({ vkey, bodies }: Order): Promise<void> {
  const witness = createWitness({
    key: createKey('spean/KH-TEST/witness'),
    state: openWitnessState(process.argv[2]!),
    keysOf: () => [parseVkey(vkey)],
    clock: () => new Date(),
    logger,
    gatherMs: 0,
  })
  for (const body of bodies) {
    const { status } = await witness.addCheckpoint(body)
    if (status === 200) process.send!(Number(body.split('\n\n')[1]!.split('\n')[1]))
  }
}
