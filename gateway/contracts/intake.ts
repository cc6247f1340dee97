import { partiesOf, type Contract, type ContractStatement } from '../../protocol/contract.ts'
import {
  parseDocument,
  verifyContractSignature,
  verifyParties,
  type ContractSignature,
  type SignedDocument,
} from '../../protocol/contract-jws.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { LIMITS } from '../../protocol/limits.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { Catalogue, Trust } from '../ports.ts'
import type { ContractStore } from './store.ts'

/** Takes in what the catalogue hands on: nothing of it is believed that is not verified here. */
export interface ContractIntake {
  /** Verifies and keeps a document; one that cannot be verified yet is tried again with {@link retry}. */
  take(jws: string): Promise<void>
  retry(): Promise<void>
}

export function createContractIntake(deps: {
  readonly store: ContractStore
  readonly catalogue: Pick<Catalogue, 'current'>
  readonly trust: Trust
  readonly clock: Clock
  readonly logger: Logger
}): ContractIntake {
  const { store, catalogue, trust, clock, logger } = deps
  const verifySignature = async (
    document: SignedDocument,
    signature: ContractSignature,
  ): Promise<void> => {
    const now = clock()
    const { kid, iat, 'x5t#S256': thumbprint } = signature.header
    const certificate = catalogue.current(now).signingCertificate(kid, thumbprint)
    if (certificate === undefined) {
      const detail = `the snapshot has no signing certificate ${thumbprint} of ${kid}`
      throw new ExchangeError('contract.signer-unknown', detail)
    }
    verifyContractSignature(document, signature, certificate.publicKey)
    const signedAt = new Date(iat * 1000)
    const isToCome = signedAt.getTime() - now.getTime() > LIMITS.signatureAgeSeconds * 1000
    // Times of signing are whole seconds.
    const isBefore = certificate.notBefore.getTime() >= signedAt.getTime() + 1000
    if (isToCome || isBefore || certificate.notAfter <= signedAt) {
      const detail = `${kid} signed at ${signedAt.toISOString()}, with a certificate that was not valid then or before its time`
      throw new ExchangeError('contract.signature-invalid', detail)
    }
    // A key that is revoked by now could date its signature back; one that has ended could not be used since.
    await trust.verify(certificate, 'signing', certificate.notAfter > now ? now : signedAt)
  }
  const verify = async (jws: string): Promise<void> => {
    const document = parseDocument(jws)
    if (document.content.kind !== 'contract') {
      verifyStatement(store, document as SignedDocument<ContractStatement>)
    }
    for (const signature of document.signatures) await verifySignature(document, signature)
    const isNew = store.put(document, 'catalogue')
    const { kind } = document.content
    if (isNew) logger.info({ kind, contract: document.digest }, 'contract document taken in')
  }
  const take = async (jws: string): Promise<void> => {
    try {
      await verify(jws)
      store.setPending(jws, false)
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error
      const isForGood = /^contract\.(malformed|signature-invalid|conflict)$/.test(error.code)
      store.setPending(jws, !isForGood)
      const { code, message: detail } = error
      logger.warn({ code, detail }, 'contract document not taken in')
    }
  }
  return {
    take,
    retry: async () => {
      for (const jws of store.pending()) await take(jws)
    },
  }
}

function verifyStatement(store: ContractStore, document: SignedDocument<ContractStatement>): void {
  const { kind, contract } = document.content
  const about = store.byDigest(contract)
  if (about === undefined || (kind === 'revocation' && !about.isAgreed)) {
    throw new ExchangeError('contract.unknown', `there is no contract ${contract} to be revoked`)
  }
  verifyParties(document, partiesOf(about.content satisfies Contract))
  if (kind === 'refusal' && about.isAgreed) {
    throw new ExchangeError('contract.conflict', `contract ${contract} is signed by both`)
  }
}
