import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import type { ValidationStore } from '../../exchange-log/validation-store.ts'
import { parseJws } from '../../protocol/jws.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import type { CatalogueView } from '../catalogue-view.ts'
import type { SnapshotTrust } from './trust.ts'

/** Records looked at: more than can be made while one certificate is written. */
const LAST_RECORDS = 1000

/**
 * Has what is missing kept after a start: when a gateway is killed, a record may be there, and the certificate of its
 * signer, or the answer about it, not yet. An answer that comes later says of the time before, too.
 *
 * @returns for how many signers that the catalogue knows something was missing.
 * @throws LogStoreError, ValidationStoreError
 */
export async function keepMissing(deps: {
  readonly log: Pick<ExchangeLogStore, 'extent' | 'after'>
  readonly validation: Pick<ValidationStore, 'certificate' | 'ocspAnswer'>
  readonly snapshot: () => CatalogueView | undefined
  readonly trust: Pick<SnapshotTrust, 'recallSigner'>
}): Promise<number> {
  const { log, validation, snapshot, trust } = deps
  const { last } = await log.extent()
  const records = await log.after(Math.max(0, last - LAST_RECORDS), LAST_RECORDS)
  const signers = new Map<string, { member: string; at: Date }>()
  for (const { manifest, recordedAt } of records) {
    const header = manifest === undefined ? undefined : headerOf(manifest)
    if (header === undefined) continue
    signers.set(header['x5t#S256'], { member: header.kid, at: recordedAt })
  }
  let missing = 0
  for (const [thumbprint, { member, at }] of signers) {
    const kept = await validation.certificate(thumbprint)
    if (kept !== undefined && (await validation.ocspAnswer(thumbprint, at)) !== undefined) continue
    const certificate = snapshot()?.signingCertificate(member, thumbprint)
    if (certificate === undefined) continue
    trust.recallSigner(certificate)
    missing += 1
  }
  return missing
}

/** Undefined for what was altered since: that is for a verification of the log to tell. */
function headerOf(manifest: string): ReturnType<typeof parseJws>['header'] | undefined {
  try {
    return parseJws(manifest).header
  } catch (error) {
    if (error instanceof ExchangeError) return undefined
    throw error
  }
}
