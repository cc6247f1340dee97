import { ExchangeError } from '../../protocol/errors.ts'
import { createCsr } from '../../pki/csr.ts'
import { isAwaited, type Awaited, type Issued } from '../../pki/est-client.ts'
import { generateKey } from '../../pki/keys.ts'
import { KeyError } from '../../pki/signing-key.ts'
import type { Clock } from '../../runtime/clock.ts'
import { ConfigError } from '../../runtime/config.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Credential, CredentialSlot } from '../credentials/credential.ts'
import type { CredentialStore, Pending } from '../credentials/store.ts'
import { kindOfKey } from './key-kind.ts'
import { renewalDueAt, retryDelayMs } from './schedule.ts'

/** Renews a gateway's certificates, each when it is time. */
export interface Renewal {
  /** Does what is due now; never two rounds at once. Failures are kept, logged and tried again. */
  look(): Promise<void>
  describe(): RenewalState[]
}

export interface RenewalState extends CredentialSlot {
  /** What it does next, and when at the earliest. */
  readonly next: 'renew' | 'collect' | 'register'
  readonly nextAttemptAt: Date
  /** Failures in a row, and the last of them in words. */
  readonly failures: number
  readonly failure:
    { readonly at: Date; readonly code: string; readonly detail: string } | undefined
}

export interface RenewalDeps {
  readonly slots: readonly CredentialSlot[]
  readonly store: CredentialStore
  /** Asks the authority, as the authentication certificate that is in force (RFC 7030 §4.2.2). */
  readonly reenroll: (csr: Buffer) => Promise<Issued | Awaited>
  /** Has the catalogue list a certificate (protocol/README.md §7.7). */
  readonly register: (credential: Credential) => Promise<void>
  /** Called with each new credential before it is registered. */
  readonly onInstalled: (credential: Credential) => void
  /** Called with each failure. */
  readonly onFailure: (slot: CredentialSlot, code: string) => void
  readonly clock: Clock
  readonly logger: Logger
  readonly random?: () => number
}

interface Progress {
  failures: number
  failure: RenewalState['failure']
  /** Not before this. */
  notBefore: Date | undefined
}

/**
 * Each certificate goes the same way: a new key and a request on disk, the certificate on disk, listed by
 * the catalogue. What is on disk says which of these is next, so that a start after a kill goes on there. That
 * a certificate is used only when its peers know it is the doing of the selection.
 */
export function createRenewal(deps: RenewalDeps): Renewal {
  const { slots, store, clock, logger, random = Math.random } = deps
  const progress = new Map<CredentialSlot, Progress>(
    slots.map((slot) => [slot, { failures: 0, failure: undefined, notBefore: undefined }]),
  )
  let round: Promise<void> | undefined

  const register = async (credential: Credential): Promise<void> => {
    await deps.register(credential)
    store.setRegistered(credential)
    const { kind, owner, certificate } = credential
    logger.info({ kind, owner, thumbprint: certificate.thumbprint }, 'certificate registered')
  }
  const collect = async (slot: CredentialSlot, pending: Pending): Promise<void> => {
    const answer = await deps.reenroll(pending.csr).catch((error: unknown) => {
      const isFinal = error instanceof ExchangeError && FINAL.has(error.code)
      if (isFinal) store.discard(pending)
      throw error
    })
    if (isAwaited(answer)) {
      progress.get(slot)!.notBefore = new Date(clock().getTime() + answer.retryAfterMs)
      logger.info({ ...slot, ...answer }, 'the renewal waits for the operator of the authority')
      return
    }
    const installed = await store.install(pending, answer)
    const { thumbprint, notAfter } = installed.certificate
    logger.info({ ...slot, thumbprint, notAfter }, 'certificate renewed')
    deps.onInstalled(installed)
    await register(installed)
  }
  /** One that ended before the catalogue took it would never be taken: another takes its place. */
  const isUnlisted = (credential: Credential): boolean =>
    !store.isRegistered(credential) && credential.certificate.notAfter > clock()
  const advance = async (slot: CredentialSlot, newest: Credential): Promise<void> => {
    const pending = store.pending(slot)
    if (pending !== undefined) await collect(slot, pending)
    else if (isUnlisted(newest)) await register(newest)
    else await collect(slot, await begin(deps, newest))
  }
  const attempt = async (slot: CredentialSlot): Promise<void> => {
    const [newest] = store.of(slot)
    const state = progress.get(slot)!
    if (newest === undefined || nextAttemptAt(slot, newest) > clock()) return
    try {
      await advance(slot, newest)
      state.failures = 0
      state.failure = undefined
    } catch (error) {
      const at = clock()
      const { code, detail } = describeFailure(error)
      state.failures += 1
      state.failure = { at, code, detail }
      const delayMs = retryDelayMs(newest.certificate, state.failures, at, random())
      state.notBefore = new Date(at.getTime() + delayMs)
      deps.onFailure(slot, code)
      const line = { ...slot, code, err: error, failures: state.failures, next: state.notBefore }
      logger.warn(line, 'a certificate is not renewed yet; tried again by itself')
    }
  }
  const nextOf = (slot: CredentialSlot, newest: Credential): RenewalState['next'] => {
    if (store.pending(slot) !== undefined) return 'collect'
    return isUnlisted(newest) ? 'register' : 'renew'
  }
  const nextAttemptAt = (slot: CredentialSlot, newest: Credential): Date => {
    const { notBefore } = progress.get(slot)!
    const isIdle = nextOf(slot, newest) === 'renew'
    const due = isIdle ? renewalDueAt(newest.certificate) : clock()
    return notBefore !== undefined && notBefore > due ? notBefore : due
  }
  const run = async (): Promise<void> => {
    store.removeEnded(clock())
    for (const slot of slots) await attempt(slot)
  }

  return {
    look: () => (round ??= run().finally(() => (round = undefined))),
    describe: () =>
      slots.flatMap((slot) => {
        const [newest] = store.of(slot)
        if (newest === undefined) return []
        const { failures, failure } = progress.get(slot)!
        const next = nextOf(slot, newest)
        return [{ ...slot, next, nextAttemptAt: nextAttemptAt(slot, newest), failures, failure }]
      }),
  }
}

/** With these the same request will never be granted. */
const FINAL: ReadonlySet<string> = new Set(['enrolment.rejected', 'enrolment.key-refused'])

/** A new key of the same kind; one in a token is used again, because it makes none here. */
async function begin(
  { store, logger }: RenewalDeps,
  { kind, owner, certificate, key, keyReference }: Credential,
): Promise<Pending> {
  const { identity, subjectAltNames, publicKey } = certificate
  const isElsewhere = keyReference.startsWith('pkcs11:')
  if (isElsewhere) logger.info({ kind, owner }, 'the key is in a token: it is certified again')
  const made = isElsewhere ? undefined : await generateKey(kindOfKey(publicKey))
  // A credential without a fault names its owner.
  const { der } = await createCsr({ identity: identity!, key: made ?? key, subjectAltNames })
  return store.begin({ kind, owner }, made ?? keyReference, der)
}

function describeFailure(error: unknown): { code: string; detail: string } {
  if (error instanceof ExchangeError) return { code: error.code, detail: error.message }
  const known = error instanceof ConfigError || error instanceof KeyError
  const detail = error instanceof Error ? error.message : String(error)
  return { code: known ? 'enrolment.unavailable' : 'internal', detail }
}
