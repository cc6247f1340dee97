/** Verifies an archive beside the thread that exchanges run on. */
import { parentPort, workerData } from 'node:worker_threads'
import { parseVkey } from '../../protocol/signed-note.ts'
import type { Finding } from '../verify/finding.ts'
import { verifyLog } from '../verify/verify-log.ts'
import { openArchiveSource } from './archive-source.ts'

export interface ArchiveToVerify {
  readonly file: string
  readonly vkey: string
  readonly first: number
  readonly last: number
}

async function firstFinding(wanted: ArchiveToVerify): Promise<Finding | undefined> {
  const { file, vkey, first, last } = wanted
  await using source = openArchiveSource(file)
  const { range } = source
  if (range.first !== first || range.last !== last) {
    const detail = `it has ${range.first} to ${range.last}, and is to have ${first} to ${last}`
    return { code: 'archive.altered', detail }
  }
  const { findings } = await verifyLog(source, { logKey: parseVkey(vkey), isExcerpt: true })
  if (findings[0] !== undefined) return findings[0]
  if (source.hasAllContent()) return undefined
  return { code: 'archive.altered', detail: 'its content is not the one that was archived' }
}

if (parentPort) {
  try {
    parentPort.postMessage({ finding: await firstFinding(workerData as ArchiveToVerify) })
  } catch (error) {
    parentPort.postMessage({ error: String(error) })
  }
}
