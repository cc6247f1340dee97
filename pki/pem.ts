/** Textual encodings of RFC 7468. */

export type PemLabel =
  'CERTIFICATE' | 'CERTIFICATE REQUEST' | 'X509 CRL' | 'PKCS7' | 'ENCRYPTED PRIVATE KEY'

export function toPem(label: PemLabel, der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString('base64')
    .replace(/.{64}(?=.)/g, '$&\n')
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}

/**
 * DER of every block with this label, in order; text around the blocks is passed over, and so is a
 * block that is not base64.
 */
export function readPem(label: PemLabel, text: string): Buffer[] {
  const block = /-----BEGIN ([A-Z0-9 ]{1,64})-----([A-Za-z0-9+/=\s]*)-----END \1-----/g
  return [...text.matchAll(block)]
    .filter(([, found]) => found === label)
    .map(([, , body = '']) => Buffer.from(body, 'base64'))
}

/** Labels of the blocks in a text, in order. */
export function pemLabels(text: string): string[] {
  return [...text.matchAll(/-----BEGIN ([A-Z0-9 ]{1,64})-----/g)].map(([, label = '']) => label)
}
