/** Prints serials and times of a time-stamping authority's state until it is killed. */
import { openTimeStampState } from '../../pki/authority/time-stamp-state.ts'

const state = openTimeStampState(process.argv[2]!, { accuracyMs: 1000 })
for (;;) {
  const at = state.timeAt(new Date())
  process.stdout.write(`${state.nextSerial().toString('hex')} ${at?.getTime()}\n`)
  await new Promise((done) => setImmediate(done))
}
