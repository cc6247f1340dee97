/** The blocks of VERIFY.md about signatures, messages and certificates. */
import { parseSignedData } from '../../pki/cms-signed-data.ts'
import { readOcspStatements } from '../../pki/ocsp-verify.ts'
import { parseTstInfo } from '../../pki/tst-info.ts'
import { parseJws, type SignatureAlgorithm } from '../../protocol/jws.ts'
import type { Evidence, EvidenceChain, EvidenceMessage } from './evidence.ts'
import { manifestFile, ocspFile, type ChainName, type MessageName } from './layout.ts'

/** A message whose signer's certificates are there, with what the text needs to know of it. */
export interface SignedPart {
  readonly part: MessageName
  readonly alg: SignatureAlgorithm
  readonly signedAt: number
  /** Unix seconds of the answer about the signer's certificate. */
  readonly statedAt: number | undefined
  /** Unix seconds of the signature's time-stamp. */
  readonly stampedAt: number | undefined
}

export function readSigned({ messages, chains }: Evidence): SignedPart[] {
  const named = (name: ChainName): EvidenceChain | undefined =>
    chains.find((chain) => chain.name === name)
  return messages.flatMap((message) => {
    const chain = named(`${message.part}-signer`)
    return chain ? [describe(message, chain, named(`${message.part}-stamp`))] : []
  })
}

function describe(
  { part, manifest, signatureToken }: EvidenceMessage,
  { ocsp }: EvidenceChain,
  stamper: EvidenceChain | undefined,
): SignedPart {
  const { alg, iat } = parseJws(manifest).header
  const answer = ocsp.get(0)
  return {
    part,
    alg,
    signedAt: iat,
    statedAt: answer && seconds(readOcspStatements(answer)[0]!.thisUpdate),
    stampedAt: stamper && signatureToken && genTimeOf(signatureToken),
  }
}

/** Unix seconds. A certificate is judged as of then, whenever that is done. */
export function genTimeOf(token: Buffer): number {
  return seconds(parseTstInfo(parseSignedData(token).content).genTime)
}

const seconds = (at: Date): number => Math.floor(at.getTime() / 1000)

export function manifestsBlock(parts: readonly SignedPart[], exchangeId: string): string {
  const signedAt = parts.map(({ part, signedAt: at }) => `'${part}': ${at}`).join(', ')
  return `Who signed what

A manifest names both parties, the call, and the digests of header block and body. Its signature (RFC 7515) names the certificate.

\`\`\`sh
python3 -I - <<'END' || fail 'the manifests do not fit'
import os, sys; sys.path.insert(0, os.environ['W'])
from common import *
${parts.some(({ alg }) => alg === 'ES256') ? ECDSA : ''}${parts.some(({ alg }) => alg !== 'EdDSA') ? JWK : ''}texts = {}
for part, signed_at in {${signedAt}}.items():
    text = texts[part] = read(part + '/manifest.jws').decode()
    head, body, value = text.split('.')
    header, manifest, raw = json.loads(unb64u(head)), json.loads(unb64u(body)), unb64u(value)
    leaf = f'{W}/{part}-signer.leaf.pem'
    need(header['x5t#S256'] == b64u(sha256(openssl('x509', '-in', leaf, '-outform', 'DER'))), part + ': another certificate signed')
    need(header['iat'] == signed_at, part + ': it was signed at another time')
    need((manifest['kind'], manifest['exchangeId']) == (part, '${exchangeId}'), part + ': it is about another exchange')
    for name in 'headers', 'body':
        file = part + '/' + name
        need(not os.path.exists(file) or digest(file) == manifest[name + 'Digest'], file + ' is not what was signed')
    if part == 'response' and 'request' in texts:
        need(manifest['requestDigest'] == b64u(sha256(texts['request'].encode())), 'it answers another request')
    jades = json.loads(read(part + '/manifest.jades.json'))
    need((jades['protected'], jades['payload'], jades['signature']) == (head, body, value), part + ': JAdES has another signature')
    for item in jades['header']['etsiU']:
        for token in json.loads(unb64u(item)).get('sigTst', {}).get('tstTokens', []): write(part + '.tst', base64.b64decode(token['val']))
    public = openssl('x509', '-in', leaf, '-noout', '-pubkey')
    write(part + '.pub', public)
    write(part + '.input', (head + '.' + body).encode())
    write(part + '.value', value.encode())
    write(part + '.sig', ${parts.some(({ alg }) => alg === 'ES256') ? "ecdsa(raw) if header['alg'] == 'ES256' else raw" : 'raw'})
${parts.some(({ alg }) => alg !== 'EdDSA') ? "    write(part + '.jwk', json.dumps(jwk(leaf, public)).encode())\n" : ''}    print(f"{part} between {manifest['client']!r} and {manifest['service']!r}, signed for {header['kid']!r}")
END
${parts.map(signatureLines).join('')}\`\`\`
`
}

const ECDSA = `def integer(part):
    part = part.lstrip(b'\\0') or b'\\0'
    part = b'\\0' * (part[0] >> 7) + part
    return bytes([2, len(part)]) + part
def ecdsa(raw):
    both = integer(raw[:32]) + integer(raw[32:])
    return bytes([48, len(both)]) + both
`
const JWK = `def jwk(leaf, public):
    spki = base64.b64decode(''.join(line for line in public.decode().splitlines() if '-' not in line))
    if len(spki) < 100: return {'kty': 'EC', 'crv': 'P-256', 'x': b64u(spki[-64:-32]), 'y': b64u(spki[-32:])}
    modulus = openssl('x509', '-in', leaf, '-noout', '-modulus').decode().strip().split('=')[1]
    return {'kty': 'RSA', 'n': b64u(bytes.fromhex(modulus)), 'e': b64u(spki[-3:])}
`

function signatureLines({ part, alg }: SignedPart): string {
  const failed = (tool: string): string =>
    ` || fail '${part}: ${tool} does not verify the signature'\n`
  // Debian 12's jose does not know EdDSA.
  const jose =
    alg === 'EdDSA'
      ? ''
      : `jose jws ver -i ${manifestFile(part)} -k "$W/${part}.jwk" -O- > "$W/${part}.json"${failed('jose')}`
  return jose + OPENSSL[alg](part) + failed('openssl')
}

const OPENSSL: Readonly<Record<SignatureAlgorithm, (part: MessageName) => string>> = {
  ES256: (part) => dgst(part, ''),
  RS256: (part) => dgst(part, ''),
  PS256: (part) => dgst(part, ' -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32'),
  EdDSA: (part) =>
    `openssl pkeyutl -verify -pubin -inkey "$W/${part}.pub" -rawin -in "$W/${part}.input" -sigfile "$W/${part}.sig"`,
}

function dgst(part: MessageName, options: string): string {
  return `openssl dgst -sha256${options} -verify "$W/${part}.pub" -signature "$W/${part}.sig" "$W/${part}.input"`
}

export function certificatesBlock(parts: readonly SignedPart[]): string {
  return `The certificates, and that they were not revoked

Each is judged as of the second that its manifest was signed. The answers of the authorities say when they were given.

\`\`\`sh
${parts.map(certificateLines).join('')}\`\`\`
`
}

function certificateLines({ part, signedAt, statedAt, stampedAt }: SignedPart): string {
  const chain = `${part}-signer` as const
  const leaf = `"\${W:?}/${chain}.leaf.pem"`
  const trust = `-CAfile "$W/${chain}.root.pem"`
  const answer = `"$W/${part}.ocsp"`
  const lines = [
    `openssl verify -x509_strict -attime ${signedAt} ${trust} -untrusted "$W/${chain}.issuers.pem" ${leaf} || fail '${part}: the certificate does not lead to its root'`,
  ]
  if (statedAt !== undefined) {
    lines.push(
      `openssl ocsp -respin ${ocspFile(chain, 0)} -no_nonce -issuer "$W/${chain}.issuer.pem" -cert ${leaf} ${trust} -verify_other "$W/${chain}.issuers.pem" -attime ${statedAt} > ${answer} 2>&1`,
      `grep 'Response verify OK' ${answer} && grep -E ': good|Update' ${answer} && grep -q 'leaf.pem: good' ${answer} || fail '${part}: the certificate was not good'`,
    )
  }
  if (stampedAt !== undefined) {
    lines.push(
      `openssl ts -verify -data "$W/${part}.value" -in "$W/${part}.tst" -token_in -attime ${stampedAt} -CAfile "$W/${part}-stamp.root.pem" -untrusted "$W/${part}-stamp.issuers.pem" || fail '${part}: the time-stamp of the signature does not verify'`,
    )
  }
  return lines.map((line) => `${line}\n`).join('')
}
