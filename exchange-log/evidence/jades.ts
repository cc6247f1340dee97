/**
 * A manifest's signature lifted to JAdES (ETSI TS 119 182-1 v1.2.1): flattened JSON serialisation, validation
 * data in `etsiU`. Nothing that was signed is touched: the protected header has `alg`, `iat` and `x5t#S256`
 * already, which is all that baseline B-B asks for.
 */
import { hash } from 'node:crypto'

export interface JadesParts {
  /** RFC 3161 token over {@link signatureOf}. */
  readonly token?: Buffer
  /** DER: of the signer and of the time-stamping authority, leaf to root each, without doubles. */
  readonly certificates: readonly Buffer[]
  /** DER of OCSP responses. */
  readonly ocsp: readonly Buffer[]
}

export interface FlattenedJws {
  readonly payload: string
  readonly protected: string
  readonly signature: string
  readonly header: { readonly etsiU: readonly string[] }
}

/** What a signature time-stamp is about (§5.3.4): the base64url text of the signature value, ASCII. */
export function signatureOf(manifest: string): string {
  return manifest.split('.')[2] ?? ''
}

export function toJades(manifest: string, { token, certificates, ocsp }: JadesParts): string {
  const [header = '', payload = '', signature = ''] = manifest.split('.')
  const val = (der: Buffer): { val: string } => ({ val: der.toString('base64') })
  const components = [
    // §5.3.4, §5.4.3.3
    ...(token ? [{ sigTst: { tstTokens: [val(token)] } }] : []),
    // §5.3.5.2
    ...(certificates.length > 0
      ? [{ xVals: unique(certificates).map((der) => ({ x509Cert: val(der) })) }]
      : []),
    // §5.3.5.3
    ...(ocsp.length > 0 ? [{ rVals: { ocspVals: unique(ocsp).map(val) } }] : []),
  ]
  // §5.3.1: items as base64url strings, so that an archive time-stamp can be about their bytes.
  const etsiU = components.map((one) => Buffer.from(JSON.stringify(one)).toString('base64url'))
  const jws: FlattenedJws = { payload, protected: header, signature, header: { etsiU } }
  return `${JSON.stringify(jws, undefined, 1)}\n`
}

function unique(ders: readonly Buffer[]): Buffer[] {
  return [...new Map(ders.map((der) => [hash('sha256', der, 'hex'), der])).values()]
}
