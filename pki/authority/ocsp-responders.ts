import { join } from 'node:path'
import type { Clock } from '../../runtime/clock.ts'
import { OID } from '../oids.ts'
import type { AuthorityKeys, KeyName } from './authority-keys.ts'
import { authorityName, ISSUING_NAMES, type Issuers, type IssuingName } from './issuers.ts'
import type { Issuing } from './issuing.ts'
import type { OcspResponder } from './ocsp-responder.ts'
import { createRenewedCertificate } from './renewed-certificate.ts'

const KEYS: Readonly<Record<IssuingName, KeyName>> = {
  authentication: 'ocspAuthentication',
  signing: 'ocspSigning',
}

/**
 * The delegated responders of both issuing authorities, each with a certificate that never goes stale.
 *
 * @throws ConfigError
 */
export async function openOcspResponders(deps: {
  readonly keys: AuthorityKeys
  readonly instance: string
  readonly issuers: Issuers
  readonly issuing: Issuing
  readonly clock: Clock
}): Promise<OcspResponder[]> {
  const { keys, instance, issuers, issuing, clock } = deps
  const open = async (name: IssuingName): Promise<OcspResponder> => {
    const key = await keys.open(KEYS[name])
    const authority = issuers[name].certificate
    const certificate = createRenewedCertificate({
      file: join(keys.stateDir, `ocsp-${name}.pem`),
      isFitting: ({ publicKey, issuerDer, extendedKeyUsage }) =>
        publicKey.equals(key.publicKey) &&
        issuerDer.equals(authority.subjectDer) &&
        extendedKeyUsage?.includes(OID.ocspSigning) === true,
      issue: () =>
        issuing.issue({
          profile: 'ocsp-responder',
          issuer: name,
          subject: authorityName(instance, `${instance} OCSP responder (${name})`),
          publicKey: key.publicKey,
        }),
    })
    await certificate(clock())
    return { name, issuing: authority, key, certificate }
  }
  return await Promise.all(ISSUING_NAMES.map(open))
}
