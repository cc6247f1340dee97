import type { KeyObject } from 'node:crypto'
import { Agent, request } from 'undici'
import { ExchangeError, isErrorCode } from '../protocol/errors.ts'
import { joinJws, jwsSigningInput } from '../protocol/jws.ts'
import { LIMITS } from '../protocol/limits.ts'
import {
  REGISTRATION_TYPE,
  registrationText,
  type Registration,
  type RegistrationAlgorithm,
  type RegistrationHeader,
} from '../protocol/registration.ts'
import type { Anchor } from '../protocol/snapshot.ts'
import { readAtMost } from '../runtime/http-body.ts'
import type { Certificate } from './certificate.ts'
import type { SignatureScheme, SigningKey } from './signing-key.ts'

export interface Registered {
  readonly gateway: {
    readonly address: string
    readonly clients: readonly string[]
    readonly certificates: readonly { readonly thumbprint: string }[]
  }
  /** The first snapshot that has all that was registered. */
  readonly snapshotNumber: number
}

/** Who registers: the authentication credential of the gateway. */
export interface RegistrationSigner {
  readonly key: SigningKey
  /** The certificate first, then those between it and the root. */
  readonly chain: readonly Certificate[]
}

/** Signs a registration (protocol/README.md §7.7). */
export async function signRegistration(
  registration: Registration,
  { key, chain }: RegistrationSigner,
): Promise<string> {
  const { alg, scheme } = algorithmOfKey(key.publicKey)
  const x5c = chain.map(({ der }) => der.toString('base64'))
  const header: RegistrationHeader = { typ: REGISTRATION_TYPE, alg, x5c }
  const input = jwsSigningInput(header, registrationText(registration))
  return joinJws(input, await key.sign(Buffer.from(input, 'ascii'), scheme))
}

const ANSWER_MS = 20_000

/**
 * Hands a signed registration to the catalogue of an anchor.
 *
 * @throws ExchangeError the catalogue's own code, `catalogue.unavailable` when it does not answer.
 */
export async function sendRegistration(
  jws: string,
  { catalogueUrl, rootCertificates }: Anchor,
): Promise<Registered> {
  await using resources = new AsyncDisposableStack()
  const agent = new Agent({ connect: { ca: rootCertificates, timeout: 5000 } })
  resources.defer(() => agent.destroy())
  const { statusCode, text } = await request(new URL('/registrations', catalogueUrl), {
    dispatcher: agent,
    method: 'POST',
    headers: { 'content-type': 'application/jose', accept: 'application/json' },
    body: jws,
    headersTimeout: ANSWER_MS,
    bodyTimeout: ANSWER_MS,
  })
    .then(async (answer) => ({
      statusCode: answer.statusCode,
      text: (await readAtMost(answer.body, LIMITS.problemBytes * 16)).toString('utf8'),
    }))
    .catch((cause: unknown) => {
      const { code, message } = cause as NodeJS.ErrnoException
      throw unavailable(`${catalogueUrl} cannot be reached (${code ?? message})`, cause)
    })
  const value = parse(text)
  if (statusCode < 300 && value !== undefined) return value as unknown as Registered
  const { code, detail } = value ?? {}
  if (isErrorCode(code)) throw new ExchangeError(code, String(detail), { origin: 'catalogue' })
  throw unavailable(`${catalogueUrl} answered a registration with ${statusCode}`)
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

const unavailable = (what: string, cause?: unknown): ExchangeError =>
  new ExchangeError('catalogue.unavailable', `the catalogue ${what}`, { cause })

function algorithmOfKey(key: KeyObject): { alg: RegistrationAlgorithm; scheme: SignatureScheme } {
  if (key.asymmetricKeyType === 'ed25519') return { alg: 'EdDSA', scheme: { hash: null } }
  if (key.asymmetricKeyType === 'rsa') {
    return { alg: 'PS256', scheme: { hash: 'sha256', padding: 'pss' } }
  }
  return key.asymmetricKeyDetails?.namedCurve === 'secp384r1'
    ? { alg: 'ES384', scheme: { hash: 'sha384', ecdsaForm: 'jose' } }
    : { alg: 'ES256', scheme: { hash: 'sha256', ecdsaForm: 'jose' } }
}
