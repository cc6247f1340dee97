/**
 * Archives a log, and is killed at a moment: `node … FOLDER LOG-KEY-FILE MOMENT S3-CONFIG-FILE|-`. SIGKILL to itself at that moment;
 * with `never`, whoever started it kills it.
 */
import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { folderPlace, type ArchivePlace } from '../../exchange-log/archive/archive-place.ts'
import { archiveNext } from '../../exchange-log/archive/archiver.ts'
import type { S3Config } from '../../exchange-log/archive/s3-config.ts'
import { s3Place } from '../../exchange-log/archive/s3-place.ts'
import { NOTE_TYPE, noteVerifier } from '../../protocol/signed-note.ts'
import { openArchiving } from './archive-support.ts'
import { ORIGIN } from './verify-support.ts'

export const MOMENTS = [
  ...['reading', 'before keep', 'after keep', 'before fetch', 'after fetch'],
  ...['before record', 'after record', 'removing', 'after removing'],
] as const

/** Records in one archive. */
const STEP = 200

const [, , folder = '', keyFile = '', moment = '', s3File = '-'] = process.argv
const dieAt = (now: string): void => {
  if (now === moment) process.kill(process.pid, 'SIGKILL')
}

if (folder !== '') {
  const privateKey = createPrivateKey(readFileSync(keyFile))
  const key = { privateKey, verifier: noteVerifier(ORIGIN, privateKey, NOTE_TYPE.ed25519) }
  const good =
    s3File === '-'
      ? folderPlace(join(folder, 'archives'))
      : s3Place(JSON.parse(readFileSync(s3File, 'utf8')) as S3Config, {
          ...{ workFolder: join(folder, 'archiving'), partBytes: 65_536 },
        })
  const place: ArchivePlace = {
    ...good,
    keep: async (...args) => {
      dieAt('before keep')
      await good.keep(...args)
      dieAt('after keep')
    },
    fetch: async (name) => {
      dieAt('before fetch')
      const back = await good.fetch(name)
      dieAt('after fetch')
      return back
    },
  }
  await using archiving = await openArchiving({ folder, key }, { place })
  const { stores, options } = archiving
  let reads = 0
  const records: typeof stores.records = {
    ...stores.records,
    contentPart: (...args) => {
      if (++reads === STEP) dieAt('reading')
      return stores.records.contentPart(...args)
    },
    removeUpTo: async (position) => {
      const done = stores.records.removeUpTo(position)
      setImmediate(() => dieAt('removing'))
      await done
      dieAt('after removing')
    },
  }
  const record: typeof options.record = async (event) => {
    dieAt('before record')
    const position = await options.record(event)
    dieAt('after record')
    return position
  }
  process.stdout.write('begun\n')
  for (let upTo = STEP; upTo <= 600; upTo += STEP) {
    const all = { ...options, record, stores: { ...stores, records } }
    await archiveNext(all, { position: upTo }, 'administrator')
  }
}
