import { AsyncLocalStorage } from 'node:async_hooks'
import { join } from 'node:path'
import type { ErrorCode } from '../../protocol/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import { DerError } from '../der.ts'
import { OID } from '../oids.ts'
import { parseTspRequest } from '../tsp-request.ts'
import type { AuthorityKeys } from './authority-keys.ts'
import type { CertificateStore } from './certificate-store.ts'
import { authorityName, type Issuers } from './issuers.ts'
import type { Issuing } from './issuing.ts'
import type { Journal } from './journal.ts'
import { createRenewedCertificate } from './renewed-certificate.ts'
import { openTimeStamping } from './time-stamping.ts'

/** The time-stamping authority of the instance, with a certificate that never goes stale. */
export interface TimeStampService extends Disposable {
  /** Never throws for what is in the bytes; a refusal stands in the journal too. */
  readonly answer: (request: Uint8Array, remoteAddress: string) => Promise<Buffer>
}

/** @throws ConfigError */
export async function openTimeStampService(deps: {
  readonly keys: AuthorityKeys
  readonly instance: string
  readonly issuers: Issuers
  readonly issuing: Issuing
  readonly store: CertificateStore
  readonly journal: Journal
  readonly clock: Clock
  readonly logger?: Logger | undefined
  readonly policy: string
  readonly accuracyMs: number
}): Promise<TimeStampService> {
  const { keys, instance, issuers, issuing, store, journal, clock, logger } = deps
  const { policy, accuracyMs } = deps
  const key = await keys.open('timeStamping')
  const issuer = issuers.signing.certificate
  const certificate = createRenewedCertificate({
    file: join(keys.stateDir, 'time-stamping.pem'),
    isFitting: ({ publicKey, issuerDer, extendedKeyUsage, serial }) =>
      store.find(serial)?.revocation === undefined &&
      publicKey.equals(key.publicKey) &&
      issuerDer.equals(issuer.subjectDer) &&
      extendedKeyUsage?.includes(OID.timeStamping) === true,
    issue: () =>
      issuing.issue({
        profile: 'time-stamping',
        subject: authorityName(instance, `${instance} time-stamping authority`),
        publicKey: key.publicKey,
      }),
  })
  await certificate(clock())
  const asking = new AsyncLocalStorage<{ request: Uint8Array; remoteAddress: string }>()
  const timeStamping = openTimeStamping({
    key,
    certificate,
    chain: [issuer],
    stateFile: join(keys.stateDir, 'time-stamping.db'),
    clock,
    policy,
    accuracyMs,
    journal: (event) => {
      const asked = asking.getStore()
      if (event.kind !== 'refused' || asked === undefined) return
      if (event.cause !== undefined)
        logger?.error({ err: event.cause }, 'no time-stamp can be made')
      const { request, remoteAddress } = asked
      const detail = `${event.failure}: ${event.detail}`
      const bytes = request.length
      const code = event.failure === 'systemFailure' ? 'internal' : codeOf(request)
      journal.refused({ subject: 'tsp', code, detail, remoteAddress, bytes })
    },
  })
  return {
    answer: (request, remoteAddress) =>
      asking.run({ request, remoteAddress }, () => timeStamping.answer(request)),
    [Symbol.dispose]: () => timeStamping[Symbol.dispose](),
  }
}

/** The decoder's code for bytes that are no request; a request that asks too much was just refused. */
function codeOf(request: Uint8Array): ErrorCode {
  try {
    parseTspRequest(request)
    return 'timestamp.refused'
  } catch (error) {
    if (error instanceof DerError) return error.code
    throw error
  }
}
