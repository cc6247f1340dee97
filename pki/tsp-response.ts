import { PKIStatusInfo } from '@peculiar/asn1-tsp'
import { encodeAsn } from './asn1.ts'
import type { Certificate } from './certificate.ts'
import { createSignedData, signingHash } from './cms-signed-data.ts'
import { sequence } from './der-writer.ts'
import { encodeSigningCertificateV2 } from './ess-cert-id.ts'
import { OID } from './oids.ts'
import type { SigningKey } from './signing-key.ts'
import { encodeTstInfo, type TstInfoValues } from './tst-info.ts'
import { PKI_STATUS } from './tsp-status.ts'

/**
 * Writes and signs an answer with a token (RFC 3161 §2.4.2). The signer is named by ESSCertIDv2
 * (RFC 5816 §2.2.1); there is no signingTime beside genTime, which says the same.
 *
 * @param response.certificates sent along when the request asks for them, the signer's own first; none
 * otherwise (§2.4.1, certReq).
 * @throws KeyError
 */
export async function createTspResponse(
  response: TstInfoValues & {
    readonly key: SigningKey
    readonly certificate: Certificate
    readonly certificates: readonly Certificate[]
  },
): Promise<Buffer> {
  const { key, certificate, certificates } = response
  const token = await createSignedData({
    type: OID.tstInfo,
    bytes: encodeTstInfo(response),
    key,
    certificate,
    certificates,
    attributes: [
      {
        type: OID.signingCertificateV2,
        value: encodeSigningCertificateV2(certificate, signingHash(key)),
      },
    ],
  })
  return sequence(encodeAsn(new PKIStatusInfo({ status: PKI_STATUS.granted as number })), token)
}
