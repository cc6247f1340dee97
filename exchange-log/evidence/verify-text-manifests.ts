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
  readonly chain: EvidenceChain
  readonly stamper: EvidenceChain | undefined
  /** Unix seconds of the signature's time-stamp. */
  readonly stampedAt: number | undefined
}

export function readSigned({ messages, chains }: Evidence): SignedPart[] {
  const named = (name: ChainName): EvidenceChain | undefined =>
    chains.find((chain) => chain.name === name)
  return messages.flatMap((message) => {
    const chain = named(`${message.part}-signer`)
    const stamper = named(`${message.part}-stamp`)
    return chain ? [describe(message, chain, stamper)] : []
  })
}

function describe(
  { part, manifest, signatureToken }: EvidenceMessage,
  chain: EvidenceChain,
  stamper: EvidenceChain | undefined,
): SignedPart {
  const { alg, iat: signedAt } = parseJws(manifest).header
  const stampedAt = stamper && signatureToken && genTimeOf(signatureToken)
  return { part, alg, signedAt, chain, stamper, stampedAt }
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
levels = load(read('exchange.json'))['jades']
for part, signed_at in {${signedAt}}.items():
    text = texts[part] = read(part + '/manifest.jws').decode()
    head, body, value = text.split('.')
    header, manifest, raw = load(unb64u(head)), load(unb64u(body)), unb64u(value)
    member = manifest['client' if part == 'request' else 'service'].split('/')[:3]
    leaf = f'{W}/{part}-signer.leaf.pem'
    need(header['x5t#S256'] == b64u(sha256(openssl('x509', '-in', leaf, '-outform', 'DER'))), part + ': another certificate signed')
    need(header['iat'] == signed_at, part + ': it was signed at another time')
    need(header['kid'] == '/'.join(member), part + ': another member signed')
    subject = openssl('x509', '-in', leaf, '-noout', '-subject', '-nameopt', 'utf8,-esc_msb,sep_multiline,sname').decode()
    names = [[line.strip()[len(name) + 1:] for line in subject.splitlines() if line.strip().startswith(name + '=')] for name in ('O', 'OU', 'CN')]
    need(names[0] != member[:1] or not all(names) or names == [[name] for name in member], part + ': the certificate is of another member')
    usage = openssl('x509', '-in', leaf, '-noout', '-ext', 'keyUsage,extendedKeyUsage').decode()
    need('Non Repudiation' in usage and 'TLS Web' not in usage, part + ': the certificate is not one for signing')
    need((manifest['kind'], manifest['exchangeId']) == (part, '${exchangeId}'), part + ': it is about another exchange')
    for name in 'headers', 'body':
        file = part + '/' + name
        need(not os.path.exists(file) or digest(file) == manifest[name + 'Digest'], file + ' is not what was signed')
    file = part + '/body'
    need(not os.path.exists(file) or os.path.getsize(file) == manifest['bodySize'], file + ' has another size')
    if part == 'request': asked = manifest
    if part == 'response' and 'request' in texts:
        need(all(manifest[name] == asked[name] for name in ('messageId', 'client', 'service')), 'it answers another call')
        need(manifest['requestDigest'] == b64u(sha256(texts['request'].encode())), 'it answers another request')
    jades = load(read(part + '/manifest.jades.json'))
    need(sorted(jades) == ['header', 'payload', 'protected', 'signature'] and list(jades['header']) == ['etsiU'], part + ': JAdES has more than a signature')
    need((jades['protected'], jades['payload'], jades['signature']) == (head, body, value), part + ': JAdES has another signature')
    def values(items):
        need(all(list(one) == ['val'] for one in items), part + ': JAdES has more than values')
        return [base64.b64decode(one['val'], validate=True) for one in items]
    lifted = {}
    for item in map(load, map(unb64u, jades['header']['etsiU'])):
        need(len(item) == 1 and not lifted.keys() & item.keys(), part + ': JAdES has a component twice')
        lifted.update(item)
    need(lifted.keys() <= {'sigTst', 'xVals', 'rVals'}, part + ': JAdES has an unknown component')
    chains = [f'{part}-signer', f'{part}-stamp']
    certificates = {der for name in chains for file in glob.glob(f'certificates/{name}.pem') for der in unpem(read(file).decode())}
    answers = {read(file) for name in chains for file in glob.glob(f'ocsp/{name}.*')}
    need(set(values([one['x509Cert'] for one in lifted.get('xVals', [])])) == certificates, part + ': JAdES has other certificates')
    need(set(values(lifted.get('rVals', {}).get('ocspVals', []))) == answers, part + ': JAdES has other answers')
    tokens = values(lifted.get('sigTst', {}).get('tstTokens', []))
    level = 'B-B' if not tokens else 'B-LT' if all(os.path.exists(f'ocsp/{name}.der') for name in chains) else 'B-T'
    need(len(tokens) < 2 and level == levels[part], part + ': JAdES has another level, or several time-stamps')
    need(tokens or not os.path.exists(f'certificates/{part}-stamp.pem'), part + ': JAdES has no time-stamp')
    for token in tokens: write(part + '.tst', token)
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

/** What the line that follows is about: openssl says OK, and of what only by a temporary file's name. */
export const label = (what: string): string => `printf '%s: ' '${what}'; `

function signatureLines({ part, alg }: SignedPart): string {
  const failed = (tool: string): string =>
    ` || fail '${part}: ${tool} does not verify the signature'\n`
  // Debian 12's jose does not know EdDSA.
  const jose =
    alg === 'EdDSA'
      ? ''
      : `jose jws ver -i ${manifestFile(part)} -k "$W/${part}.jwk" -O- > "$W/${part}.json" && echo '${part}, signature by jose: Verified OK'${failed('jose')}`
  return `${jose}${label(`${part}, signature by openssl`)}${OPENSSL[alg](part)}${failed('openssl')}`
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

/** The certificates in the file, not only those in the token, lead to the root. */
export function stamperLines(chain: EvidenceChain, at: number): string[] {
  const { name } = chain
  return [
    `${label(`${name}, certificate`)}openssl verify -check_ss_sig -purpose timestampsign -attime ${at} -CAfile "\${W:?}/${name}.root.pem" -untrusted "$W/${name}.issuers.pem" "$W/${name}.leaf.pem" || fail '${name}: the certificate does not lead to its root'`,
    ...stateLines(chain, at),
  ]
}

/** That the certificate was not revoked then, as far as an answer is here. */
function stateLines({ name, ocsp }: EvidenceChain, at: number): string[] {
  const answer = ocsp.get(0)
  if (answer === undefined) return []
  const stated = readOcspStatements(answer).map(({ thisUpdate }) => seconds(thisUpdate))
  const said = `"$W/${name}.ocsp"`
  return [
    `openssl ocsp -respin ${ocspFile(name, 0)} -no_nonce -issuer "\${W:?}/${name}.issuer.pem" -cert "$W/${name}.leaf.pem" -CAfile "$W/${name}.root.pem" -verify_other "$W/${name}.issuers.pem" -attime ${Math.max(at, ...stated)} > ${said} 2> ${said}.notes`,
    `python3 -I "$W/state.py" ${said} ${at} || fail '${name}: the certificate was revoked, or nothing shows that it was not'`,
  ]
}

function certificateLines({ part, signedAt, chain, stamper, stampedAt }: SignedPart): string {
  const { name } = chain
  const leaf = `"\${W:?}/${name}.leaf.pem"`
  const lines = [
    `${label(name)}openssl x509 -in ${leaf} -noout -subject -nameopt RFC2253,utf8,-esc_msb || fail '${part}: the certificate cannot be read'`,
    `${label(`${name}, certificate`)}openssl verify -x509_strict -check_ss_sig -attime ${signedAt} -CAfile "$W/${name}.root.pem" -untrusted "$W/${name}.issuers.pem" ${leaf} || fail '${part}: the certificate does not lead to its root'`,
    ...stateLines(chain, signedAt),
  ]
  if (stamper !== undefined && stampedAt !== undefined) {
    lines.push(
      `[ ${stampedAt} -ge ${signedAt - 300} ] || fail '${part}: the signature was stamped before it was made'`,
      ...stamperLines(stamper, stampedAt),
      `${label(`${part}, time-stamp of the signature`)}openssl ts -verify -data "$W/${part}.value" -in "$W/${part}.tst" -token_in -attime ${stampedAt} -CAfile "$W/${part}-stamp.root.pem" -untrusted "$W/${part}-stamp.issuers.pem" || fail '${part}: the time-stamp of the signature does not verify'`,
    )
  }
  return lines.map((line) => `${line}\n`).join('')
}
