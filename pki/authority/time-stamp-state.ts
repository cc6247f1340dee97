import { randomBytes } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { touchPrivate } from '../../runtime/private-file.ts'

/**
 * What a time-stamping authority must not forget, whenever it is stopped, killed or started again.
 * Any number of processes may have the same file open; each gives serials of its own.
 */
export interface TimeStampState extends Disposable {
  /**
   * Content of a positive INTEGER of 16 bytes that was never given before (RFC 3161 §2.4.2): the first half counts,
   * in blocks that are on the disk before one of their numbers is used, so that a crash skips numbers and repeats
   * none; the second half is random, for the day on which somebody puts back an older copy of the file.
   *
   * @throws when the block cannot be written.
   */
  readonly nextSerial: () => Buffer
  /**
   * The time to write into a token at `now`: not before any written earlier. A clock that is behind by at most the
   * tolerance repeats the latest; one that is further behind gives undefined.
   */
  readonly timeAt: (now: Date) => Date | undefined
}

/** Serials of one block: one write to the disk for so many tokens. */
const BLOCK = 1000
/** How far the latest time on the disk is ahead, where tokens have milliseconds. */
const AHEAD_MS = 1000
const SECOND_MS = 1000
const BUSY_TIMEOUT_MS = 5000

/**
 * @param options.accuracyMs tolerance of a clock that went back; from a second on, tokens have whole
 * seconds (§2.4.2: no finer than needed).
 */
export function openTimeStampState(
  file: string,
  { accuracyMs }: { readonly accuracyMs: number },
): TimeStampState {
  touchPrivate(file)
  const db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS })
  db.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS issued (
      id       INTEGER PRIMARY KEY CHECK (id = 1),
      serials  INTEGER NOT NULL,
      latestMs INTEGER NOT NULL
    ) STRICT;
    INSERT INTO issued VALUES (1, 0, 0) ON CONFLICT (id) DO NOTHING`)
  const reserve = db.prepare('UPDATE issued SET serials = serials + ? RETURNING serials')
  const keepLatest = db.prepare('UPDATE issued SET latestMs = max(latestMs, ?)')
  const step = accuracyMs >= SECOND_MS ? SECOND_MS : 1
  const ahead = step === SECOND_MS ? 0 : AHEAD_MS

  let next = 0
  let end = 0
  let latest = Number(db.prepare('SELECT latestMs FROM issued').get()?.latestMs)
  let kept = latest
  return {
    nextSerial: () => {
      if (next === end) {
        end = Number(reserve.get(BLOCK)?.serials) + 1
        next = end - BLOCK
      }
      const serial = randomBytes(16)
      serial.writeBigUInt64BE(BigInt(next)) // far below 2^63, so positive; from 1 on, so never zero
      next += 1
      return minimal(serial)
    },
    timeAt: (now) => {
      const time = Math.floor(now.getTime() / step) * step
      if (latest - time > accuracyMs) return undefined
      const given = Math.max(time, latest)
      if (given > kept) {
        keepLatest.run(given + ahead)
        kept = given + ahead
      }
      latest = given
      return new Date(given)
    },
    [Symbol.dispose]: () => db.close(),
  }
}

/** X.690 §8.3.2: no more zeros in front than the sign needs. */
function minimal(bytes: Buffer): Buffer {
  let from = 0
  while (bytes[from] === 0 && bytes[from + 1]! < 0x80) from += 1
  return bytes.subarray(from)
}
