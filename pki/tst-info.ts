import { AsnConvert } from '@peculiar/asn1-schema'
import { Accuracy, MessageImprint, TSTInfo } from '@peculiar/asn1-tsp'
import { encodeAsn, toArrayBuffer } from './asn1.ts'
import { formatSerial } from './certificate.ts'
import { contextTag, DerError, fieldsOf, onlyChild, parseDer, TAG, type DerNode } from './der.ts'
import {
  readBoolean,
  readGeneralizedTime,
  readIntegerBytes,
  readOid,
  readSmallInteger,
} from './der-values.ts'
import { readImplicitExtensions, type Extension } from './extensions.ts'
import { readImprint, readNonceContent, type Imprint } from './tsp-request.ts'

/** What a token says (RFC 3161 §2.4.2). */
export interface TstInfo {
  readonly policy: string
  readonly imprint: Imprint
  /** Lower-case hex without leading zeros. */
  readonly serial: string
  readonly genTime: Date
  /** How far off `genTime` may be, either way; undefined when the token does not say. */
  readonly accuracyMs: number | undefined
  /** Content of the INTEGER, as in the request. */
  readonly nonce: Buffer | undefined
  /** DER of the directory name that the authority goes by, when it gives one. */
  readonly tsaName: Buffer | undefined
}

export interface TstInfoValues {
  readonly policy: string
  /** Encoded MessageImprint of the request: the token repeats it. */
  readonly imprint: Buffer
  /** Content of a positive INTEGER. */
  readonly serial: Buffer
  /** Written with its milliseconds, unless they are zero. */
  readonly genTime: Date
  readonly accuracyMs: number
  readonly nonce: Buffer | undefined
}

export function encodeTstInfo(values: TstInfoValues): Buffer {
  const { policy, imprint, serial, genTime, accuracyMs, nonce } = values
  const seconds = Math.floor(accuracyMs / 1000)
  const millis = accuracyMs % 1000
  return encodeAsn(
    new TSTInfo({
      policy,
      messageImprint: AsnConvert.parse(imprint, MessageImprint),
      serialNumber: toArrayBuffer(serial),
      genTime,
      accuracy: new Accuracy(millis === 0 ? { seconds } : { seconds, millis }),
      ...(nonce === undefined ? {} : { nonce: toArrayBuffer(nonce) }),
    }),
  )
}

const TSA_NAME = contextTag(0, 'constructed')
const EXTENSIONS = contextTag(1, 'constructed')

/** @throws DerError */
export function parseTstInfo(der: Uint8Array): TstInfo {
  const fields = fieldsOf(parseDer(der))
  if (readSmallInteger(fields.next()) !== 1) throw new DerError('the version of the token is not 1')
  const policy = readOid(fields.next())
  const imprint = readImprint(fields.next())
  const serial = formatSerial(readIntegerBytes(fields.next()))
  const genTime = readGenTime(fields.next(TAG.generalizedTime))
  const accuracy = fields.optional(TAG.sequence)
  const ordering = fields.optional(TAG.boolean)
  const nonce = fields.optional(TAG.integer)
  const name = fields.optional(TSA_NAME)
  const extensions = fields.optional(EXTENSIONS)
  fields.end()
  if (ordering) readBoolean(ordering)
  if (extensions) refuseCritical(readImplicitExtensions(extensions))
  return {
    policy,
    imprint,
    serial,
    genTime,
    accuracyMs: accuracy && readAccuracy(accuracy),
    nonce: nonce && readNonceContent(nonce),
    tsaName: name && readDirectoryName(onlyChild(name)),
  }
}

function refuseCritical(extensions: ReadonlyMap<string, Extension>): void {
  for (const { id, critical } of extensions.values()) {
    if (critical) throw new DerError(`its critical extension ${id} is not understood here`)
  }
}

/** §2.4.2: UTC with seconds, a fraction without zeros at its end and never alone; beyond milliseconds it is cut. */
function readGenTime(node: DerNode): Date {
  const parts = /^(\d{14})(?:\.(\d*[1-9]))?Z$/.exec(node.content.toString('latin1'))
  if (parts === null) throw new DerError('a genTime is not in UTC with seconds')
  const [, digits, fraction = ''] = parts
  const second = readGeneralizedTime({ ...node, content: Buffer.from(`${digits}Z`) })
  return new Date(second.getTime() + Number(fraction.slice(0, 3).padEnd(3, '0')))
}

/** §2.4.2: what is absent is zero; millis and micros are from 1 to 999. */
function readAccuracy(node: DerNode): number {
  const fields = fieldsOf(node)
  const seconds = fields.optional(TAG.integer)
  const [millis = 0, micros = 0] = [0, 1].map((number) => {
    const part = fields.optional(contextTag(number, 'primitive'))
    return part && readSmallInteger(part, part.tag)
  })
  fields.end()
  if (millis > 999 || micros > 999) throw new DerError('an accuracy is out of range')
  return (seconds ? readSmallInteger(seconds) : 0) * 1000 + millis + micros / 1000
}

/** GeneralName of RFC 5280 §4.2.1.6; undefined when it is no directory name. */
function readDirectoryName(node: DerNode): Buffer | undefined {
  return node.tag === contextTag(4, 'constructed') ? onlyChild(node).encoded : undefined
}
