import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import type { ValidationStore } from '../../exchange-log/validation-store.ts'
import { parseJws } from '../../protocol/jws.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import type { CatalogueView } from '../catalogue-view.ts'
import type { SnapshotTrust } from './trust.ts'

/** Records looked at: more than can be made while one certificate is written. */
const LAST_RECORDS = 1000

/**
 * Has what is missing kept after a start: when a gateway is killed, a record may be there and the certificate of its
 * signer not yet.
 *
 * @returns how many signers were missing and are known to the catalogue.
 * @throws LogStoreError, ValidationStoreError
 */
export async function keepMissing(deps: {
  readonly log: Pick<ExchangeLogStore, 'extent' | 'after'>
  readonly validation: Pick<ValidationStore, 'certificate'>
  readonly snapshot: () => CatalogueView | undefined
  readonly trust: Pick<SnapshotTrust, 'noteSigner'>
}): Promise<number> {
  const { log, validation, snapshot, trust } = deps
  const { last } = await log.extent()
  const records = await log.after(Math.max(0, last - LAST_RECORDS), LAST_RECORDS)
  const signers = new Map<string, string>()
  for (const { manifest } of records) {
    const header = manifest === undefined ? undefined : headerOf(manifest)
    if (header !== undefined) signers.set(header['x5t#S256'], header.kid)
  }
  let missing = 0
  for (const [thumbprint, member] of signers) {
    if ((await validation.certificate(thumbprint)) !== undefined) continue
    const certificate = snapshot()?.signingCertificate(member, thumbprint)
    if (certificate === undefined) continue
    trust.noteSigner(certificate)
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
