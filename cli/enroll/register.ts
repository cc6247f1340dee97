import { fetchOcspAnswer } from '../../pki/ocsp-client.ts'
import {
  sendRegistration,
  signRegistration,
  type Registered,
} from '../../pki/registration-client.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import type { Enrolled } from './certificates.ts'
import type { EnrollOrder } from './order.ts'
import type { Report } from './preflight.ts'

/** Has the catalogue list the gateway and its certificates (protocol/README.md §7.7). */
export async function register(
  order: EnrollOrder,
  own: { readonly authentication: Enrolled; readonly signing: Enrolled },
  report: Report,
): Promise<Registered> {
  const { gateway, address, clients, anchor } = order
  const { key, chain } = own.authentication
  const [certificate, issuer] = chain
  if (certificate === undefined || issuer === undefined) {
    throw new ExchangeError(
      'certificate.issuer-missing',
      'the certificate file lacks the certificate of its issuer behind its own',
    )
  }
  const { der: ocsp } = await fetchOcspAnswer(certificate, issuer, { at: new Date() })
  const base64 = ({ chain: [first] }: Enrolled): string => first!.der.toString('base64')
  const jws = await signRegistration(
    {
      version: 1,
      gateway,
      address,
      clients,
      certificates: [
        { kind: 'authentication', der: base64(own.authentication) },
        { kind: 'signing', der: base64(own.signing) },
      ],
      ocsp: ocsp.toString('base64'),
      iat: Math.floor(Date.now() / 1000),
    },
    { key, chain },
  )
  const registered = await sendRegistration(jws, anchor)
  report(`catalogue       has it all in snapshot ${registered.snapshotNumber}`)
  const listed = registered.gateway
  const same =
    listed.address === address &&
    [...listed.clients].toSorted().join() === [...clients].toSorted().join()
  if (!same) {
    report(
      `note            it was registered before, at ${listed.address} for ${listed.clients.join(', ') || 'nobody'}; ` +
        'an administrator changes that: spean gateway add',
    )
  }
  return registered
}
