import { randomBytes } from 'node:crypto'
import { Agent, request } from 'undici'
import { CertificateError, type Certificate } from '../../pki/certificate.ts'
import { parseCrl, verifyCrl } from '../../pki/crl.ts'
import { createOcspRequest } from '../../pki/ocsp-request.ts'
import { verifyOcspResponse } from '../../pki/ocsp-verify.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { BodyTooLongError, readAtMost } from '../../runtime/http-body.ts'
import { attention, wrong, type Finding, type RevocationFacts } from './explanation.ts'
import { duration } from './words.ts'

const ANSWER_MS = 5000
const MAX_OCSP_BYTES = 65_536
const MAX_CRL_BYTES = 16 * 1024 * 1024
const NONCE_BYTES = 32 // RFC 9654 §2.1

export interface RevocationQuestion {
  readonly certificate: Certificate
  readonly issuer: Certificate
  /** Whether the responder of its authority must repeat nonces. */
  readonly ocspNonce: 'required' | 'optional'
  /** The time asked about; answers are about now. */
  readonly at: Date
}
export interface RevocationAnswer {
  readonly facts: readonly RevocationFacts[]
  readonly findings: readonly Finding[]
}

/** Asks everybody whom the certificate names: its OCSP responders and the places of its lists. */
export async function askRevocation(question: RevocationQuestion): Promise<RevocationAnswer> {
  await using resources = new AsyncDisposableStack()
  const agent = new Agent({ connect: { timeout: ANSWER_MS } })
  resources.defer(() => agent.destroy())
  const { ocspUrls, crlUrls, subject } = question.certificate
  const answers = await Promise.all([
    ...ocspUrls.map((url) => ask(question, 'OCSP', url, () => askOcsp(question, url, agent))),
    ...crlUrls.map((url) => ask(question, 'CRL', url, () => readList(question, url, agent))),
  ])
  const facts = answers.map(({ fact }) => fact)
  const findings = [
    ...answers.flatMap((answer) => answer.findings),
    // Responder and list say the same: once is enough.
    ...facts.flatMap((fact) => revokedFinding(fact, question.at)).slice(0, 1),
  ]
  if (facts.length === 0) {
    findings.push(
      wrong(
        `${subject} names neither an OCSP responder nor a revocation list.`,
        'Gateways refuse what has no revocation state: ask the authority for a certificate with authorityInfoAccess.',
      ),
    )
  } else if (facts.every(({ status }) => status === 'unknown')) {
    findings.push(
      wrong(
        `The revocation state of ${subject} is not known: ${facts.map(({ fault }) => fault).join('; ')}.`,
        'See that the responder runs, that this machine reaches it, and that both clocks are right.',
      ),
    )
  }
  return { facts, findings }
}

/** What a server sent with its handshake. */
export function readStaple(der: Buffer, question: RevocationQuestion): RevocationAnswer {
  const { certificate } = question
  const fact = factOf(certificate, 'stapled OCSP', () => ocspState(der, question))
  if (fact.status !== 'unknown')
    return { facts: [fact], findings: revokedFinding(fact, question.at) }
  return {
    facts: [fact],
    findings: [
      attention(
        `The stapled OCSP answer is not accepted: ${fact.fault}.`,
        'The gateway fetches a new one by itself; see spean status for what its OCSP responder says.',
      ),
    ],
  }
}

interface State {
  readonly status: 'good' | 'revoked'
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  readonly revokedAt?: Date
  readonly reason?: string
}
interface Asked {
  readonly fact: RevocationFacts
  readonly findings: readonly Finding[]
}

async function ask(
  { certificate }: RevocationQuestion,
  by: 'OCSP' | 'CRL',
  url: string,
  get: () => Promise<{ state: State; findings: readonly Finding[] }>,
): Promise<Asked> {
  try {
    const { state, findings } = await get()
    return { fact: { ...factOf(certificate, by, () => state), url }, findings }
  } catch (error) {
    return {
      fact: { subject: certificate.subject, by, url, status: 'unknown', fault: whyNot(error) },
      findings: [],
    }
  }
}

function factOf(
  { subject }: Certificate,
  by: RevocationFacts['by'],
  read: () => State,
): RevocationFacts {
  try {
    const { status, thisUpdate, nextUpdate, revokedAt, reason } = read()
    return {
      subject,
      by,
      status,
      ...(revokedAt ? { revokedAt: revokedAt.toISOString() } : {}),
      ...(reason === undefined ? {} : { reason }),
      thisUpdate: thisUpdate.toISOString(),
      nextUpdate: nextUpdate.toISOString(),
      age: duration(Date.now() - thisUpdate.getTime()),
    }
  } catch (error) {
    return { subject, by, status: 'unknown', fault: whyNot(error) }
  }
}

function ocspState(
  der: Buffer,
  { certificate, issuer }: RevocationQuestion,
  nonce?: Buffer,
): State {
  const at = new Date()
  return verifyOcspResponse(der, { certificate, issuer, at, ...(nonce ? { nonce } : {}) })
}

async function askOcsp(
  question: RevocationQuestion,
  url: string,
  agent: Agent,
): Promise<{ state: State; findings: readonly Finding[] }> {
  const nonce = randomBytes(NONCE_BYTES)
  const body = createOcspRequest(question.certificate, question.issuer, { nonce })
  const der = await exchange(url, agent, MAX_OCSP_BYTES, {
    method: 'POST',
    headers: { 'content-type': 'application/ocsp-request' },
    body,
  })
  const state = ocspState(der, question)
  try {
    ocspState(der, question, nonce)
    return { state, findings: [] }
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error
    return { state, findings: question.ocspNonce === 'required' ? [noNonce(url)] : [] }
  }
}

const noNonce = (url: string): Finding =>
  wrong(
    `The OCSP responder ${url} does not repeat the nonce of a request, so its answer may be an old one.`,
    'If the authority works like that, approve it so: spean authority add … --ocsp-nonce optional.',
  )

async function readList(
  { certificate, issuer }: RevocationQuestion,
  url: string,
  agent: Agent,
): Promise<{ state: State; findings: readonly Finding[] }> {
  const bytes = await exchange(url, agent, MAX_CRL_BYTES, { method: 'GET' })
  const list = parseCrl(bytes[0] === 0x2d ? bytes.toString('latin1') : bytes)
  verifyCrl(list, issuer, new Date())
  const { thisUpdate, nextUpdate } = list
  const entry = list.entries.get(certificate.serial)
  const state = entry ? { status: 'revoked' as const, ...entry } : { status: 'good' as const }
  return { state: { ...state, thisUpdate, nextUpdate }, findings: [] }
}

async function exchange(
  url: string,
  agent: Agent,
  maxBytes: number,
  options: { method: 'GET' | 'POST'; headers?: Record<string, string>; body?: Buffer },
): Promise<Buffer> {
  if (!/^https?:/i.test(url)) throw new CertificateError('only http is asked')
  const timeouts = { headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS }
  const { statusCode, body } = await request(url, { ...options, ...timeouts, dispatcher: agent })
  const bytes = await readAtMost(body, maxBytes)
  if (statusCode === 200) return bytes
  throw new CertificateError(`it answered with HTTP status ${statusCode}`)
}

function whyNot(error: unknown): string {
  const isOurs = [ExchangeError, CertificateError, BodyTooLongError].some(
    (kind) => error instanceof kind,
  )
  if (isOurs) return (error as Error).message
  const { code, message } = error as NodeJS.ErrnoException
  // undici and the network have codes; without one it is a bug.
  if (code === undefined) throw error
  return `it cannot be reached (${code}: ${message})`
}

function revokedFinding(fact: RevocationFacts, at: Date): Finding[] {
  const { subject, status, revokedAt, reason = 'unspecified', by } = fact
  if (status !== 'revoked' || revokedAt === undefined) return []
  const what = `${subject} was revoked at ${revokedAt} (${reason}), by ${by}.`
  if (new Date(revokedAt) > at) {
    return [attention(what, 'At the time asked about it was good.')]
  }
  return [wrong(what, 'Make a new key and ask for a new certificate; nobody accepts this one.')]
}
