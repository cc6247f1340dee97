import { ExchangeError } from './errors.ts'
import { LIMITS } from './limits.ts'

/** Where a gateway takes, and gives, what is known of certificates (protocol/README.md §6.5). */
export const CERTIFICATE_STATES_PATH = '/spean/v1/certificate-states'

/** What a certificate's authority said of it. Whoever handed it over, nothing in it is verified yet. */
export interface CertificateState {
  /** SHA-256 of the certificate's DER, base64url. */
  readonly thumbprint: string
  /** DER of an OCSPResponse (RFC 6960 §4.2.1). */
  readonly ocsp: Buffer
}

const THUMBPRINT = /^[A-Za-z0-9_-]{43}$/
/** Base64 with its padding and nothing in between (RFC 4648 §4). */
const BASE64 = /^(?=.)(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/**
 * Reads the body of a message of §6.5, set by another gateway.
 *
 * @throws ExchangeError `request.malformed` for what is not of that form, `request.body-too-large`.
 */
export function parseCertificateStates(body: Uint8Array): CertificateState[] {
  if (body.length > LIMITS.certificateStatesBytes) {
    const most = LIMITS.certificateStatesBytes
    throw new ExchangeError('request.body-too-large', `certificate states take ${most} bytes`)
  }
  const { states } = parseObject(body)
  if (!Array.isArray(states)) throw malformed('the body has no array "states"')
  if (states.length > LIMITS.certificateStates) {
    throw malformed(`${states.length} states are more than ${LIMITS.certificateStates}`)
  }
  return states.map((state: unknown, index) => readState(state, index))
}

/** Writes the body of a message of §6.5; what does not fit one is left out. */
export function formatCertificateStates(states: readonly CertificateState[]): string {
  const entries: string[] = []
  let bytes = FRAME_BYTES
  for (const { thumbprint, ocsp } of states.slice(0, LIMITS.certificateStates)) {
    const entry = JSON.stringify({ thumbprint, ocsp: ocsp.toString('base64') })
    bytes += entry.length + 1
    if (bytes > LIMITS.certificateStatesBytes) break
    entries.push(entry)
  }
  return `{"states":[${entries.join(',')}]}`
}

const FRAME_BYTES = '{"states":[]}'.length

function parseObject(body: Uint8Array): { states?: unknown } {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body)
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value
  } catch {
    // Told below: neither UTF-8 nor JSON needs another sentence.
  }
  throw malformed('the body is not a JSON object')
}

function readState(state: unknown, index: number): CertificateState {
  const { thumbprint, ocsp } = (state ?? {}) as Record<string, unknown>
  if (typeof thumbprint !== 'string' || !THUMBPRINT.test(thumbprint)) {
    throw malformed(`state ${index} names no certificate by its thumbprint`)
  }
  if (typeof ocsp !== 'string' || !BASE64.test(ocsp)) {
    throw malformed(`state ${index} holds no OCSP answer in base64`)
  }
  return { thumbprint, ocsp: Buffer.from(ocsp, 'base64') }
}

const malformed = (detail: string): ExchangeError => new ExchangeError('request.malformed', detail)
