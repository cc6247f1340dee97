import { createHash, hash } from 'node:crypto'
import { ExchangeError } from '../../protocol/errors.ts'
import { parseJws } from '../../protocol/jws.ts'
import {
  parseRequestManifest,
  parseResponseManifest,
  type Manifest,
} from '../../protocol/manifest.ts'
import { LogContentError } from '../content.ts'
import type { RecordKeys } from '../record-keys.ts'
import { openBody, openHeaders } from '../sealing.ts'
import type { Report } from './finding.ts'
import type { CheckedRecord, RecordSource } from './source.ts'

/** Decrypts what was kept of each record, and compares it with what the manifest of the record signs. */
export function createDigestCheck(
  source: RecordSource,
  keys: RecordKeys,
): (record: CheckedRecord, report: Report) => Promise<void> {
  return async (record, report) => {
    const { manifest, kept, position, exchangeId } = record
    if (manifest === undefined || kept === undefined || kept === 'none') return
    const content = await source.content(record)
    if (content === undefined) return // whether it may be gone is looked at for every record
    const altered = (detail: string): void =>
      report({ code: 'content.altered', position, exchangeId, detail })
    try {
      const { headersDigest, bodyDigest } = readManifest(manifest)
      const headers = await openHeaders(keys, content)
      if (hash('sha256', headers, 'base64url') !== headersDigest) {
        altered('the header block is not the one that was signed')
        return
      }
      const body = await openBody(keys, content)
      if (body === undefined) {
        if (kept === 'full') altered('the body was kept, and only the header block is there')
        return
      }
      const digest = createHash('sha256')
      for await (const chunk of body) digest.update(chunk as Buffer)
      if (digest.digest('base64url') !== bodyDigest) {
        altered('the body is not the one that was signed')
      }
    } catch (error) {
      if (error instanceof LogContentError) altered(error.message)
      else if (error instanceof ExchangeError) {
        const detail = `${error.message} (${error.code})`
        report({ code: 'manifest.signature-invalid', position, exchangeId, detail })
      } else throw error
    }
  }
}

/** @throws ExchangeError */
function readManifest(jws: string): Manifest {
  const { payload } = parseJws(jws)
  try {
    return parseRequestManifest(payload)
  } catch {
    return parseResponseManifest(payload)
  }
}
