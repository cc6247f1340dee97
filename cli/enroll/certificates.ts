import { createHash } from 'node:crypto'
import { existsSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { parseCertificates, type Certificate } from '../../pki/certificate.ts'
import { createCsr } from '../../pki/csr.ts'
import { isAwaited, type EstClient } from '../../pki/est-client.ts'
import type { CertificateIdentity } from '../../pki/identity.ts'
import { ensureKeyFile, exportSpki, type KeyPair } from '../../pki/keys.ts'
import { readPem, toPem } from '../../pki/pem.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { writeFileAtomically } from '../../runtime/private-file.ts'
import { filesOf, type EnrollOrder } from './order.ts'
import type { Report } from './preflight.ts'

export interface Enrolled {
  readonly key: KeyPair
  /** The certificate first, then those between it and the root. */
  readonly chain: readonly Certificate[]
}

/** How the one-time code is got: asked for only when it is needed. */
export type ReadCode = () => Promise<string>

export interface EnrollDeps {
  readonly est: EstClient
  readonly readCode: ReadCode
  readonly report: Report
  /** Of the key files; undefined: they are not encrypted. */
  readonly passphrase: string | undefined
}

/**
 * Both certificates of a gateway. They are asked for side by side: where enrolments are approved, the operator
 * finds both at once.
 *
 * @throws ExchangeError the first refusal; `enrolment.pending` when the operator did not approve in time.
 */
export async function ensureBothEnrolled(
  order: EnrollOrder,
  deps: EnrollDeps,
): Promise<Readonly<Record<Kind, Enrolled>>> {
  const stop = new AbortController()
  const enrolled = (kind: Kind): Promise<Enrolled> =>
    ensureEnrolled(kind, order, deps, stop.signal).catch((error: unknown) => {
      stop.abort(error)
      throw stop.signal.reason
    })
  const [authentication, signing] = await Promise.all([
    enrolled('authentication'),
    enrolled('signing'),
  ])
  return { authentication, signing }
}

type Kind = 'authentication' | 'signing'

/**
 * The key and certificate of one kind: those in the folder when they are good, else a new certificate. The
 * request is kept until it is answered, so that another run collects what this one asked for.
 *
 * @throws ExchangeError `enrolment.pending` when the operator did not approve in time.
 */
async function ensureEnrolled(
  kind: Kind,
  order: EnrollOrder,
  deps: EnrollDeps,
  signal: AbortSignal,
): Promise<Enrolled> {
  const files = filesOf(order)[kind]
  const { passphrase, report } = deps
  const options = passphrase === undefined ? {} : { passphrase }
  const key = await ensureKeyFile(files.key, order.keyKind, options)
  const held = readHeld(files.certificate, key)
  if (held !== undefined) {
    report(`${kind.padEnd(15)} certificate is there, until ${held[0]!.notAfter.toISOString()}`)
    return { key, chain: held }
  }
  const csr = await ensureRequest(kind, order, key, files.request)
  const chain = await ask(kind, { csr, key: thumbprintOf(key) }, order, deps, signal)
  writeFileAtomically(files.certificate, chain.map(({ pem }) => pem).join(''))
  rmSync(files.request, { force: true })
  report(`${kind.padEnd(15)} certificate issued, until ${chain[0]!.notAfter.toISOString()}`)
  return { key, chain }
}

/**
 * Puts keys and certificates aside, so that others are made; not while a request is open, because then an earlier run
 * did so. The old ones are kept beside them: logs name them, and the gateway may still run with them.
 */
export function putAside(order: EnrollOrder, report: Report): void {
  const { authentication, signing } = filesOf(order)
  const held = [authentication, signing].filter(({ certificate }) => existsSync(certificate))
  const isGoingOn = [authentication, signing].some(({ request }) => existsSync(request))
  if (isGoingOn || held.length < 2) return
  for (const { key, certificate } of held) {
    for (const file of [key, certificate]) renameSync(file, `${file}.old`)
  }
  report(`old keys and certificates are put aside, as ${authentication.key}.old and so on`)
}

function readHeld(file: string, { publicKey }: KeyPair): Certificate[] | undefined {
  if (!existsSync(file)) return undefined
  const chain = parseCertificates(readFileSync(file, 'utf8'))
  const [own] = chain
  const good = own?.publicKey.equals(publicKey) === true && own.notAfter.getTime() > Date.now()
  return good ? chain : undefined
}

async function ensureRequest(
  kind: Kind,
  { identity, names }: EnrollOrder,
  key: KeyPair,
  file: string,
): Promise<Buffer> {
  const [kept] = existsSync(file) ? readPem('CERTIFICATE REQUEST', readFileSync(file, 'utf8')) : []
  if (kept !== undefined) return kept
  const { gateway: _gateway, ...member } = identity
  const whose: CertificateIdentity = kind === 'authentication' ? identity : member
  const subjectAltNames = kind === 'authentication' ? names : []
  const { der } = await createCsr({ identity: whose, key, subjectAltNames })
  writeFileAtomically(file, toPem('CERTIFICATE REQUEST', der))
  return der
}

/** As `spean ca request list` shows it: the operator compares the two. */
const thumbprintOf = ({ publicKey }: KeyPair): string =>
  createHash('sha256').update(exportSpki(publicKey)).digest('base64url')

async function ask(
  kind: Kind,
  { csr, key }: { readonly csr: Buffer; readonly key: string },
  { waitMs }: EnrollOrder,
  { est, readCode, report }: EnrollDeps,
  signal: AbortSignal,
): Promise<readonly Certificate[]> {
  const code = await readCode()
  const until = performance.now() + waitMs
  for (;;) {
    const answer = await est.enroll(csr, code)
    if (!isAwaited(answer)) return answer
    if (performance.now() + answer.retryAfterMs > until) {
      throw new ExchangeError(
        'enrolment.pending',
        `the request for ${kind} (key ${key}) waits for the operator; run the same command again to go on with it`,
      )
    }
    const seconds = Math.ceil(answer.retryAfterMs / 1000)
    report(
      `${kind.padEnd(15)} waits for the operator, key ${key}; asked again in ${seconds} s (Ctrl-C: run again to go on)`,
    )
    await delay(answer.retryAfterMs, undefined, { signal })
  }
}
