import { ExchangeError, withBasis } from '../../protocol/errors.ts'
import { MANIFEST_HEADER } from '../../protocol/headers.ts'
import { parseJws, verifyJws } from '../../protocol/jws.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { claimedSnapshot } from '../../protocol/manifest.ts'
import type { CatalogueView } from '../catalogue-view.ts'
import type { Catalogue, ClockCheck, Trust } from '../ports.ts'

export interface Expected {
  /** The member that must have signed; undefined: whoever the signature names. */
  readonly member: string | undefined
  readonly view: CatalogueView
  readonly catalogue: Catalogue
  readonly trust: Trust
  readonly clockCheck: ClockCheck
  /** The gateway that sent the message. */
  readonly sender: string
  /** Time of receipt. The certificate must have been good then, whatever it is by now. */
  readonly at: Date
}

/**
 * Verifies the manifest in a message's headers: form, signature, signing certificate, time
 * (protocol/README.md §5.4). What the manifest says is for the caller to compare.
 *
 * @throws ExchangeError `manifest.missing`, `manifest.malformed`, `manifest.signer-unknown`,
 *   `manifest.signature-invalid`, `manifest.time-invalid`, `certificate.*`.
 */
export async function verifyManifest(
  rawHeaders: readonly string[],
  expected: Expected,
): Promise<{ jws: string; signer: string; payload: Buffer }> {
  const { member, view, catalogue, trust, at } = expected
  const jws = manifestHeader(rawHeaders)
  const parsed = parseJws(jws)
  const { kid: signer, iat, 'x5t#S256': thumbprint } = parsed.header
  if (member !== undefined && signer !== member) {
    throw new ExchangeError('manifest.signer-unknown', `the message is signed by ${signer}`)
  }
  // The signer may know a newer snapshot, with a certificate that is new.
  const newer = async (): Promise<CatalogueView> =>
    catalogue.atLeast(claimedSnapshot(parsed.payload), at)
  const known = view.signingCertificate(signer, thumbprint)
  const last = known ? view : await newer()
  const certificate = known ?? last.signingCertificate(signer, thumbprint)
  if (certificate === undefined) {
    const detail = `snapshot ${last.number} has no signing certificate ${thumbprint} of ${signer}`
    const unknown = new ExchangeError('manifest.signer-unknown', detail)
    throw withBasis(unknown, { snapshot: last.number })
  }
  verifyJws(parsed, certificate.publicKey)
  await trust.verify(certificate, 'signing', at)
  verifyTime(iat, expected)
  return { jws, signer, payload: parsed.payload }
}

function verifyTime(iat: number, { at, sender, clockCheck }: Expected): void {
  const ageSeconds = Math.round(at.getTime() / 1000 - iat)
  if (Math.abs(ageSeconds) <= LIMITS.signatureAgeSeconds) return
  const signedAt = new Date(iat * 1000).toISOString()
  const whose =
    ageSeconds < 0
      ? `${-ageSeconds} s in the future: the clock of gateway ${sender} is ahead`
      : `${ageSeconds} s ago: the clock of gateway ${sender} is behind, or the message was held up`
  throw new ExchangeError(
    'manifest.time-invalid',
    `the message was signed at ${signedAt} and received at ${at.toISOString()}, so ${whose}; ${clockCheck.words()}`,
  )
}

/**
 * The manifest as another gateway sent it.
 *
 * @throws ExchangeError `manifest.missing`, `manifest.malformed` when it stands twice or is too long.
 */
export function manifestHeader(rawHeaders: readonly string[]): string {
  const values = rawHeaders.filter(
    (_, i) => i % 2 === 1 && rawHeaders[i - 1]!.toLowerCase() === MANIFEST_HEADER,
  )
  const [jws] = values
  if (jws === undefined) throw new ExchangeError('manifest.missing', `no ${MANIFEST_HEADER} header`)
  if (values.length > 1 || jws.length > LIMITS.manifestBytes) {
    throw new ExchangeError('manifest.malformed', `${MANIFEST_HEADER} is repeated or too long`)
  }
  return jws
}
