import type { Contract, ContractStatement } from '../../protocol/contract.ts'
import {
  addSignature,
  contractSigningInput,
  CONTRACT_TYPE,
  type SignedDocument,
} from '../../protocol/contract-jws.ts'
import { algorithmOf } from '../../protocol/jws.ts'
import type { Certificate } from '../../pki/certificate.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Credentials } from '../credentials/credentials.ts'
import type { Catalogue } from '../ports.ts'
import { SCHEMES } from '../signer.ts'

type Unsigned<T extends Contract | ContractStatement> = Omit<SignedDocument<T>, 'signatures'> &
  Partial<Pick<SignedDocument<T>, 'signatures'>>

/** Signs contracts in the name of members whose keys are here. */
export interface ContractSigning {
  isSignerOf(member: string): boolean
  /**
   * @throws ExchangeError `gateway.certificate-inactive`, `gateway.certificate-unsuitable`: others would not
   *   believe it.
   */
  sign<T extends Contract | ContractStatement>(
    document: Unsigned<T>,
    member: string,
  ): Promise<SignedDocument<T>>
}

export function createContractSigning(deps: {
  readonly credentials: Pick<Credentials, 'signing' | 'newestSigning'>
  readonly catalogue: Pick<Catalogue, 'current'>
  readonly onSigned: (certificate: Certificate) => void
  readonly clock: Clock
}): ContractSigning {
  const { credentials, catalogue, onSigned, clock } = deps
  return {
    isSignerOf: (member) => credentials.newestSigning(member) !== undefined,
    sign: async (document, member) => {
      const at = clock()
      const { key, certificate } = credentials.signing(member, catalogue.current(at), at)
      const header = {
        alg: algorithmOf(key.publicKey),
        iat: Math.floor(at.getTime() / 1000),
        kid: member,
        typ: CONTRACT_TYPE,
        'x5t#S256': certificate.thumbprint,
      } as const
      const input = contractSigningInput(header, document.payload)
      const signature = await key.sign(Buffer.from(input, 'ascii'), SCHEMES[header.alg])
      onSigned(certificate)
      return addSignature(document, header, signature)
    },
  }
}
