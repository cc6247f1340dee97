import { afterAll } from 'vitest'
import { writeLog, type WrittenLog } from '../exchange-log/verify-support.ts'
import { createTsa, type TestTsa } from '../pki/tsp-support.ts'

/** A log for all tests of a file, and the authority of its time-stamp; they are gone when the last one has ended. */
export async function logOfFile(
  sizes: readonly number[],
): Promise<{ readonly tsa: TestTsa; readonly log: WrittenLog }> {
  const tsa = await createTsa()
  afterAll(() => tsa[Symbol.dispose]())
  const log = await writeLog(sizes, tsa)
  afterAll(() => log[Symbol.dispose]())
  return { tsa, log }
}
