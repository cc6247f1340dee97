import { DerError, fieldsOf, TAG, type DerNode } from './der.ts'
import { readOid } from './der-values.ts'
import { OID } from './oids.ts'

/** Hashes of message imprints and certificate identifiers. MD5 and SHA-1 are left out on purpose. */
export type TspHash = 'sha256' | 'sha384' | 'sha512'

const HASHES: Readonly<Record<TspHash, { readonly oid: string; readonly bytes: number }>> = {
  sha256: { oid: OID.sha256, bytes: 32 },
  sha384: { oid: OID.sha384, bytes: 48 },
  sha512: { oid: OID.sha512, bytes: 64 },
}

export const TSP_HASHES = Object.keys(HASHES) as readonly TspHash[]

export const hashOid = (hash: TspHash): string => HASHES[hash].oid

export const hashBytes = (hash: TspHash): number => HASHES[hash].bytes

export interface HashIdentifier {
  /** Object identifier. */
  readonly algorithm: string
  /** Undefined when it is unknown, too weak, or has parameters other than NULL (RFC 5754 §2). */
  readonly hash: TspHash | undefined
}

/** Reads an AlgorithmIdentifier (RFC 5280 §4.1.1.2) of a hash. @throws DerError */
export function readHashIdentifier(node: DerNode): HashIdentifier {
  const fields = fieldsOf(node)
  const algorithm = readOid(fields.next(TAG.oid))
  const [, parameters, ...rest] = node.children
  if (rest.length > 0) throw new DerError('there is a field too many')
  const isPlain = parameters === undefined || parameters.tag === TAG.null
  const known = TSP_HASHES.find((name) => HASHES[name].oid === algorithm)
  return { algorithm, hash: isPlain ? known : undefined }
}
