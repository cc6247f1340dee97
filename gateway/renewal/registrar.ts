import { ExchangeError } from '../../protocol/errors.ts'
import type { Registration } from '../../protocol/registration.ts'
import type { Anchor } from '../../protocol/snapshot.ts'
import { parseCertificates, type Certificate } from '../../pki/certificate.ts'
import { fetchOcspAnswer } from '../../pki/ocsp-client.ts'
import { signerOf } from '../../pki/path.ts'
import { sendRegistration, signRegistration } from '../../pki/registration-client.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { SnapshotClient } from '../catalogue/snapshot-client.ts'
import type { Credentials } from '../credentials/credentials.ts'

/**
 * Has the catalogue list what this gateway says of itself (protocol/README.md §7.7); without certificates, the one
 * that it signs with is listed again.
 *
 * @throws ExchangeError the catalogue's own code; `catalogue.unavailable`, `certificate.*` before it is asked.
 */
export type Registrar = (
  what: Partial<Pick<Registration, 'certificates' | 'log' | 'witness'>>,
) => Promise<void>

export function createRegistrar(deps: {
  readonly gatewayId: string
  readonly anchor: Anchor
  readonly credentials: Credentials
  readonly catalogue: Pick<SnapshotClient, 'newest'>
  readonly clock: Clock
}): Registrar {
  const { gatewayId, anchor, credentials, catalogue, clock } = deps
  return async (what) => {
    const at = clock()
    const signer = credentials.shown(at)
    const chain = parseCertificates(signer.chain)
    const issuer = issuerOf(signer.certificate, [
      ...chain.slice(1),
      ...(catalogue.newest?.intermediates ?? []),
    ])
    const { der: ocsp } = await fetchOcspAnswer(signer.certificate, issuer, { at })
    const der = signer.certificate.der.toString('base64')
    const jws = await signRegistration(
      {
        certificates: [{ kind: 'authentication', der }],
        ...what,
        version: 1,
        gateway: gatewayId,
        ocsp: ocsp.toString('base64'),
        iat: Math.floor(at.getTime() / 1000),
      },
      { key: signer.key, chain },
    )
    await sendRegistration(jws, anchor)
  }
}

function issuerOf(certificate: Certificate, others: readonly Certificate[]): Certificate {
  const issuer = signerOf(certificate, others)
  if (issuer !== undefined) return issuer
  throw new ExchangeError(
    'certificate.issuer-missing',
    `neither the certificate file nor the snapshot has ${certificate.issuer}, which issued ${certificate.subject}`,
  )
}
