import { ExchangeError } from '../../protocol/errors.ts'
import type { Certificate } from '../../pki/certificate.ts'
import type { CertificateKind } from '../../pki/identity.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { IndexedSnapshot } from '../catalogue/view.ts'
import type { Trust } from '../ports.ts'
import { createKnownPaths } from './known-paths.ts'
import type { OcspQuestion } from './known-state.ts'
import type { OcspCache } from './ocsp-cache.ts'
import type { ValidationKeeper } from './validation-keeper.ts'

export interface SnapshotTrust extends Trust {
  /** A signature is recorded that this gateway need not judge, its own for one: what others judge it by is kept. */
  noteSigner(certificate: Certificate): void
  /** The same of a signature of before a restart: its state is asked for when it is not at hand. */
  recallSigner(certificate: Certificate): void
  /** Keeps the states of this gateway's own certificates fresh, to be handed to its peers. */
  follow(own: readonly Certificate[]): void
  /**
   * Takes what the owner of a certificate handed over about it (protocol/README.md §6.5).
   *
   * @returns since when that is known; undefined for a certificate that is bad anyway.
   * @throws ExchangeError `certificate.status-unknown` when it is no verifiable answer that holds now.
   */
  take(certificate: Certificate, ocsp: Buffer, source: 'owner' | 'stapled'): Date | undefined
}

/** Trust as the newest snapshot gives it: its approved authorities, and what they say by OCSP. */
export function createTrust(deps: {
  readonly snapshot: () => IndexedSnapshot | undefined
  readonly ocsp: OcspCache
  /** Keeps what signatures are judged by. */
  readonly keeper: Pick<ValidationKeeper, 'used'>
  readonly clock: Clock
}): SnapshotTrust {
  const { ocsp, keeper, clock } = deps
  const paths = createKnownPaths()
  const judge = (certificate: Certificate, purpose: CertificateKind, at: Date): Judged => {
    const snapshot = deps.snapshot()
    if (snapshot === undefined) {
      throw new ExchangeError('catalogue.unavailable', 'no snapshot names the approved authorities')
    }
    const path = paths.pathOf(certificate, purpose, snapshot, at)
    const anchor = path.at(-1)
    const authority = snapshot.authorities.find((approved) => approved.anchor === anchor)
    const issuer = path[1]
    // A path has two certificates at least, and ends at an approved authority.
    const nonce = authority?.ocspNonce ?? 'required'
    return { path, question: issuer && { certificate, issuer, nonce } }
  }
  /** Undefined for what is expired or has no path: it needs no revocation state. */
  const judgeIfGood = (certificate: Certificate): Judged | undefined => {
    const purpose = certificate.extendedKeyUsage === undefined ? 'signing' : 'authentication'
    try {
      return judge(certificate, purpose, clock())
    } catch (error) {
      if (error instanceof ExchangeError) return undefined
      throw error
    }
  }
  return {
    verify: async (certificate, purpose, at) => {
      const { path, question } = judge(certificate, purpose, at)
      const answer = question && (await ocsp.check(question, at))
      if (purpose === 'signing') keeper.used(path, answer)
    },
    noteSigner: (certificate) => {
      const path = judgeIfGood(certificate)?.path ?? [certificate]
      keeper.used(path, ocsp.answer(certificate.thumbprint))
    },
    recallSigner: (certificate) => {
      const { path = [certificate], question } = judgeIfGood(certificate) ?? {}
      if (question !== undefined) ocsp.hear(question)
      keeper.used(path, ocsp.answer(certificate.thumbprint))
    },
    follow: (own) => {
      const questions = own.map((certificate) => judgeIfGood(certificate)?.question)
      ocsp.follow(questions.filter((question) => question !== undefined))
    },
    take: (certificate, der, source) => {
      const question = judgeIfGood(certificate)?.question
      return question && ocsp.take(der, question, source)
    },
  }
}

interface Judged {
  /** Leaf first, anchor last. */
  readonly path: readonly Certificate[]
  readonly question: OcspQuestion | undefined
}
