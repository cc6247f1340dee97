import { CertificateError, parseCertificate, type Certificate } from '../../pki/certificate.ts'
import { DerError, parseDer, TAG } from '../../pki/der.ts'
import { parseOcspRequest } from '../../pki/ocsp-request.ts'
import { parseCertsOnly } from '../../pki/pkcs7.ts'
import { pemLabels } from '../../pki/pem.ts'
import { recogniseDer, recogniseLabel, type Recognised } from '../../pki/recognise.ts'

export type MaterialKind = Recognised | MessageKind

type MessageKind =
  'a time-stamp token' | 'a time-stamp answer' | 'a time-stamp request' | 'an OCSP request'

/** What a file holds, by its bytes; nothing in it is verified. */
export type Material =
  | { readonly form: 'nothing'; readonly what: string; readonly remedy: string }
  | {
      readonly form: 'certificates'
      readonly certificates: readonly Certificate[]
      readonly what?: string
    }
  | {
      readonly form: 'other'
      readonly kind: MaterialKind
      readonly der: Buffer
      readonly pem?: string
    }

const BLOCK = /-----BEGIN ([A-Z0-9 ]{1,64})-----([\s\S]*?)-----END \1-----/g
const AGAIN = 'Get the file again from whoever issued it.'

/** @throws CertificateError when it is a certificate that cannot be read. */
export function readMaterial(bytes: Buffer): Material {
  if (bytes.length === 0) return nothing('an empty file', AGAIN)
  // DER of every kind here begins with a SEQUENCE; no text does.
  if (bytes[0] === 0x30 && bytes[1]! !== 0x30) return readDer(bytes)
  const text = bytes.toString('latin1').replace(/^\u00ef\u00bb\u00bf/, '')
  if (pemLabels(text).length > 0) return readPemText(text)
  if (/<\s*(!doctype html|html|head|body)\b/i.test(text)) {
    return nothing(
      'an HTML page',
      'What was downloaded is a page about the file, or of a proxy or a login in front of it; download the file itself.',
    )
  }
  if (/^[A-Za-z0-9+/=\s]{100,}$/.test(text)) return readDer(Buffer.from(text, 'base64'))
  if (/^\s*[[{]/.test(text)) return nothing('JSON', 'Give the certificate that it may hold.')
  const isText = !/[^\t\r\n\x20-\x7e\x80-\xff]/.test(text)
  return nothing(isText ? 'a text without PEM in it' : 'bytes of no kind that is known here', AGAIN)
}

const nothing = (what: string, remedy: string): Material => ({ form: 'nothing', what, remedy })

function readPemText(text: string): Material {
  const blocks = [...text.matchAll(BLOCK)].map(([pem, label = '', body = '']) => ({
    pem,
    label,
    body,
  }))
  const certificates = blocks.filter(({ label }) => recogniseLabel(label) === 'a certificate')
  if (certificates.length > 0) {
    return {
      form: 'certificates',
      certificates: certificates.map(({ body }) => parseCertificate(base64(body))),
    }
  }
  const [block] = blocks
  if (block === undefined) {
    const label = pemLabels(text)[0]
    return nothing(`PEM of ${label} that is cut off: its END line is missing`, AGAIN)
  }
  const kind = recogniseLabel(block.label)
  const der = base64(block.body)
  if (kind === undefined)
    return nothing(`PEM of ${block.label}, of no kind that is known here`, AGAIN)
  if (kind === 'a bundle of certificates (PKCS#7)') return readDer(der)
  return { form: 'other', kind, der, pem: block.pem }
}

const base64 = (body: string): Buffer =>
  Buffer.from(body.replace(/^[A-Za-z-]+:.*$/gm, ''), 'base64')

function readDer(der: Buffer): Material {
  const kind = recogniseDer(der) ?? recogniseMessage(der)
  if (kind === 'a certificate')
    return { form: 'certificates', certificates: [parseCertificate(der)] }
  if (kind === 'a bundle of certificates (PKCS#7)') {
    if (recogniseMessage(der) !== undefined)
      return { form: 'other', kind: 'a time-stamp token', der }
    return { form: 'certificates', certificates: parseCertsOnly(der), what: kind }
  }
  if (kind !== undefined) return { form: 'other', kind, der }
  try {
    parseDer(der)
    return nothing('DER of no kind that is known here', AGAIN)
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    throw new CertificateError(`it begins like DER, but ${error.message}`, {
      code: error.code,
      cause: error,
    })
  }
}

const TST_INFO = Buffer.from('060b2a864886f70d0109100104', 'hex') // id-ct-TSTInfo, RFC 3161 §2.4.2

/** Messages of RFC 3161 and RFC 6960: a token is SignedData, an answer has a status and perhaps a token. */
function recogniseMessage(der: Buffer): MessageKind | undefined {
  try {
    const { children } = parseDer(der)
    const [first, second] = children
    if (first?.tag === TAG.oid) return der.includes(TST_INFO) ? 'a time-stamp token' : undefined
    // TimeStampReq begins with version and MessageImprint (RFC 3161 §2.4.1)
    if (first?.tag === TAG.integer) {
      const imprint = second?.children.map(({ tag }) => tag).join()
      return imprint === `${TAG.sequence},${TAG.octetString}` ? 'a time-stamp request' : undefined
    }
    const isStatus = first?.tag === TAG.sequence && first.children[0]?.tag === TAG.integer
    if (isStatus && children.length <= 2) {
      const isToken = second === undefined || second.encoded.includes(TST_INFO)
      return isToken ? 'a time-stamp answer' : undefined
    }
    parseOcspRequest(der)
    return 'an OCSP request'
  } catch (error) {
    if (error instanceof DerError) return undefined
    throw error
  }
}
