import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { AsnConvert } from '@peculiar/asn1-schema'
import { ContentInfo, SignedData } from '@peculiar/asn1-cms'
import { TimeStampResp } from '@peculiar/asn1-tsp'
import { parseCrl, verifyCrl } from '../../pki/crl.ts'
import { parseCsr } from '../../pki/csr.ts'
import { DerError, parseDer } from '../../pki/der.ts'
import { formatIdentity, OWN_PROFILE } from '../../pki/identity.ts'
import { keyFault } from '../../pki/keys.ts'
import { parseOcspRequest } from '../../pki/ocsp-request.ts'
import { readOcspStatements, type OcspStatement } from '../../pki/ocsp-verify.ts'
import { readSubject } from '../../pki/subject-profile.ts'
import { readStatusInfo } from '../../pki/tsp-status.ts'
import { parseTspRequest, type Imprint } from '../../pki/tsp-request.ts'
import { parseTstInfo } from '../../pki/tst-info.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import type { Approved } from './approved.ts'
import { attention, wrong, type Finding, type Part } from './explanation.ts'
import type { Material } from './material.ts'
import { duration, keyFingerprint, keyWords } from './words.ts'

type Other = Extract<Material, { form: 'other' }>
interface Context {
  readonly approved: Approved
  readonly at: Date
  /** Permission bits of the file. */
  readonly mode: number
}

/** What is no certificate: said what it is, with the facts in it. @throws CertificateError, DerError */
export function explainOther(material: Other, context: Context): Part {
  switch (material.kind) {
    case 'a certificate request (PKCS#10)':
      return explainRequest(material, context)
    case 'a certificate revocation list':
      return explainList(material, context)
    case 'a private key':
    case 'a public key':
      return explainKey(material, context)
    case 'an encrypted private key':
      return part({ protection: 'a passphrase, which is not asked for' }, modeFindings(context))
    case 'a key store (PKCS#12)':
      return part({ protection: 'a password' }, [
        attention(
          'What is in it cannot be seen without its password.',
          'Take the certificate out: openssl pkcs12 -in FILE -nokeys -clcerts, and explain that.',
        ),
      ])
    case 'an OCSP request':
      return part({ about: parseOcspRequest(material.der).certIds.map(({ serial }) => serial) })
    case 'a time-stamp request':
      return explainQuery(material.der)
    case 'an OCSP answer':
      return explainOcsp(material.der, context.at)
    default:
      return explainTimeStamp(material, context)
  }
}

const part = (
  facts: Record<string, unknown>,
  findings: Finding[] = [],
  unknown: string[] = [],
): Part => ({
  facts,
  findings,
  unknown,
})

function explainRequest({ der }: Other, { approved }: Context): Part {
  const { subject, subjectDer, publicKey, subjectAltNames } = parseCsr(der)
  const profiles = approved.authorities.map(({ name, subjectProfile = OWN_PROFILE }) => ({
    name,
    subjectProfile,
  }))
  const readings = (
    profiles.length > 0 ? profiles : [{ name: 'our own profile', subjectProfile: OWN_PROFILE }]
  ).map(({ name, subjectProfile }) => {
    const { identity, fault } = readSubject(subjectDer, subjectProfile)
    return `by ${name}: ${identity ? formatIdentity(identity) : `nobody (${fault})`}`
  })
  return part({
    subject,
    'would be whose': readings,
    key: `${keyWords(publicKey)} (fingerprint ${keyFingerprint(publicKey)})`,
    names: subjectAltNames.length > 0 ? subjectAltNames : undefined,
    proof: 'its signature is of its own key',
  })
}

function explainList({ der }: Other, { approved, at }: Context): Part {
  const list = parseCrl(der)
  const { issuer, number, thisUpdate, nextUpdate, entries } = list
  const facts = {
    issuer,
    number: number?.toString(),
    issued: `${thisUpdate.toISOString()}: ${duration(at.getTime() - thisUpdate.getTime())} old`,
    until: nextUpdate.toISOString(),
    revoked: entries.size === 1 ? '1 certificate' : `${entries.size} certificates`,
  }
  const known = approved.authorities
    .flatMap(({ root, intermediates }) => [root, ...intermediates])
    .find(({ subjectDer }) => subjectDer.equals(list.issuerDer))
  if (known === undefined) {
    const over = at > nextUpdate ? [stale('The list', nextUpdate, at)] : []
    return part(facts, over, [
      'Whether it is genuine: no approved authority of this name is known.',
    ])
  }
  try {
    verifyCrl(list, known, at)
    return part({ ...facts, signature: `of ${known.subject}, which is approved` })
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error
    return part(facts, [wrong(`${error.message}.`, 'Fetch it again from its authority.')])
  }
}

const stale = (what: string, until: Date, at: Date): Finding =>
  wrong(
    `${what} held until ${until.toISOString()}, ${duration(at.getTime() - until.getTime())} ago.`,
    'Get a new one from its authority.',
  )

function explainKey({ der, pem, kind }: Other, context: Context): Part {
  let key: KeyObject
  try {
    key = readKey(pem ?? der, kind)
  } catch (error) {
    const { message } = error as Error
    return part({}, [
      wrong(`The key cannot be read: ${message}.`, 'Take it from a backup, or make a new one.'),
    ])
  }
  const publicKey = key.type === 'private' ? createPublicKey(key) : key
  const fault = keyFault(publicKey)
  const findings =
    fault === undefined ? [] : [wrong(`It is not accepted: ${fault}.`, 'Make a new key.')]
  if (key.type === 'private') findings.push(...modeFindings(context))
  return part({ key: keyWords(publicKey), fingerprint: keyFingerprint(publicKey) }, findings)
}

function readKey(input: string | Buffer, kind: Other['kind']): KeyObject {
  if (typeof input === 'string') {
    return kind === 'a private key' ? createPrivateKey(input) : createPublicKey(input)
  }
  const types =
    kind === 'a private key' ? (['pkcs8', 'sec1', 'pkcs1'] as const) : (['spki', 'pkcs1'] as const)
  let last: unknown
  for (const type of types) {
    try {
      return kind === 'a private key'
        ? createPrivateKey({ key: input, format: 'der', type: type as 'pkcs8' })
        : createPublicKey({ key: input, format: 'der', type: type as 'spki' })
    } catch (error) {
      last = error
    }
  }
  throw last
}

function modeFindings({ mode }: Context): Finding[] {
  if ((mode & 0o077) === 0) return []
  return [
    wrong(
      'Others than its owner can read the key file.',
      'chmod 600 FILE; gateways refuse it otherwise.',
    ),
  ]
}

const unknownSerial = (serial: string): Finding =>
  wrong(
    `Its authority does not know the serial number ${serial}.`,
    'See that the certificate is of this authority, and that the responder has its newest list.',
  )

function explainOcsp(der: Buffer, at: Date): Part {
  let statements: readonly OcspStatement[]
  try {
    statements = readOcspStatements(der)
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    const remedy = 'Ask the responder again; when it answers with an error, see its log for why.'
    return part({}, [wrong(`It says nothing: ${error.message}.`, remedy)])
  }
  return part(
    {
      about: statements.map(({ serial, status, revokedAt, reason }) =>
        [serial, status, revokedAt?.toISOString(), reason].filter(Boolean).join(' '),
      ),
      holds: statements.map(
        ({ thisUpdate, nextUpdate }) =>
          `${thisUpdate.toISOString()} to ${nextUpdate.toISOString()}`,
      ),
      age: statements.map(({ thisUpdate }) => duration(at.getTime() - thisUpdate.getTime())),
    },
    statements.flatMap(({ serial, status, nextUpdate }) => [
      ...(nextUpdate < at ? [stale('The answer', nextUpdate, at)] : []),
      ...(status === 'unknown' ? [unknownSerial(serial)] : []),
    ]),
    [
      'Whether it is genuine: explain the certificate itself, and its responder is asked and verified.',
    ],
  )
}

function explainQuery(der: Buffer): Part {
  const { imprint, policy, nonce } = parseTspRequest(der)
  return part({ ...imprintFacts(imprint), policy, nonce: nonce?.toString('hex') })
}

const imprintFacts = ({ hash, algorithm, digest }: Imprint) => ({
  hash: hash ?? algorithm,
  imprint: digest.toString('hex'),
})

function explainTimeStamp({ der, kind }: Other, { at }: Context): Part {
  const token = kind === 'a time-stamp token' ? AsnConvert.parse(der, ContentInfo) : undefined
  const answer = token === undefined ? AsnConvert.parse(der, TimeStampResp) : undefined
  const content = token ?? answer?.timeStampToken
  if (content === undefined) {
    const { text } = readStatusInfo(parseDer(der).children[0]!)
    return part({}, [
      wrong(
        `The authority gave no token: ${text}.`,
        'See its log, or the policy and hash that were asked for.',
      ),
    ])
  }
  const { encapContentInfo, certificates = [] } = AsnConvert.parse(content.content, SignedData)
  const info = new Uint8Array(encapContentInfo.eContent?.single?.buffer ?? new ArrayBuffer(0))
  const { genTime, policy, imprint, serial } = parseTstInfo(info)
  return part(
    {
      time: `${genTime.toISOString()}: ${duration(at.getTime() - genTime.getTime())} ago`,
      policy,
      serial,
      ...imprintFacts(imprint),
      'certificates in it': [...certificates].length,
    },
    [],
    ['Whether it is genuine: that takes the data that was stamped.'],
  )
}
