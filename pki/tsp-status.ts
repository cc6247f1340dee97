import { PKIFreeText, PKIStatusInfo, TimeStampResp } from '@peculiar/asn1-tsp'
import { PKIFailureInfo } from '@peculiar/asn1-tsp'
import { encodeAsn } from './asn1.ts'
import { DerError, fieldsOf, itemsOf, TAG, type DerNode } from './der.ts'
import { readNamedBits, readSmallInteger, readText } from './der-values.ts'

/** RFC 3161 §2.4.2, PKIStatus. */
export const PKI_STATUS = {
  granted: 0,
  grantedWithMods: 1,
  rejection: 2,
  waiting: 3,
  revocationWarning: 4,
  revocationNotification: 5,
} as const

/** RFC 3161 §2.4.2, numbers of the bits. Those of the library's own table are off by one from bit 2 on. */
export const PKI_FAILURE = {
  badAlg: 0,
  badRequest: 2,
  badDataFormat: 5,
  timeNotAvailable: 14,
  unacceptedPolicy: 15,
  unacceptedExtension: 16,
  addInfoNotAvailable: 17,
  systemFailure: 25,
} as const

export type PkiFailure = keyof typeof PKI_FAILURE

/** Writes an answer without a token (RFC 3161 §2.4.2). @param text one sentence for the caller. */
export function createTspRejection(failure: PkiFailure, text: string): Buffer {
  const failInfo = new PKIFailureInfo()
  failInfo.fromNumber(2 ** PKI_FAILURE[failure])
  const status = new PKIStatusInfo({
    status: PKI_STATUS.rejection as number,
    statusString: new PKIFreeText([text]),
    failInfo,
  })
  return encodeAsn(new TimeStampResp({ status }))
}

export interface PkiStatusInfo {
  readonly isGranted: boolean
  /** Status, failure bits and the authority's own words, in one line. */
  readonly text: string
}

/** @throws DerError, also for a status that the standard does not have: §2.4.2 has clients refuse it. */
export function readStatusInfo(node: DerNode): PkiStatusInfo {
  const fields = fieldsOf(node)
  const number = readSmallInteger(fields.next(TAG.integer))
  const words = fields.optional(TAG.sequence)
  const bits = fields.optional(TAG.bitString)
  fields.end()
  const status = nameOf(PKI_STATUS, number)
  if (status === undefined) throw new DerError(`the status ${number} is unknown`)
  const failures = (bits === undefined ? [] : readNamedBits(bits)).map(
    (bit) => nameOf(PKI_FAILURE, bit) ?? `failure bit ${bit}`,
  )
  const said = words === undefined ? [] : itemsOf(words).map(readText)
  const isGranted = number === PKI_STATUS.granted || number === PKI_STATUS.grantedWithMods
  return { isGranted, text: [[status, ...failures].join(', '), ...said].join(': ') }
}

function nameOf(table: Readonly<Record<string, number>>, number: number): string | undefined {
  return Object.keys(table).find((name) => table[name] === number)
}
