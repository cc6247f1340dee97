import { ExchangeError } from '../protocol/errors.ts'
import type { SubjectPart, SubjectProfile } from '../protocol/snapshot.ts'

const text = { type: 'string', minLength: 1, maxLength: 200 } as const
const part = {
  type: 'object',
  additionalProperties: false,
  properties: {
    attribute: text,
    prefix: text,
    separator: text,
    index: { type: 'integer', minimum: 0, maximum: 20 },
    pieces: { type: 'integer', minimum: 1, maximum: 21 },
    value: text,
  },
} as const

/** Form of a profile in a body; {@link refuseFaulty} says whether it makes sense. */
export const subjectProfileSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['instance', 'memberClass', 'member'],
  properties: {
    instance: part,
    memberClass: part,
    member: part,
    gateway: part,
    subsystem: part,
  },
} as const

/**
 * Refuses a profile that could not be read by, or would read what nobody meant.
 *
 * @throws ExchangeError `admin.invalid` naming every fault, and what to write instead.
 */
export function refuseFaulty(profile: SubjectProfile): void {
  const faults = Object.entries(profile).flatMap(([name, rule]) =>
    partFaults(rule as SubjectPart).map((fault) => `/subjectProfile/${name}: ${fault}`),
  )
  if (faults.length > 0) throw new ExchangeError('admin.invalid', faults.join('; '))
}

/** First arc 0 to 2, second below 40 under 0 and 1 (ITU-T X.660 §A.2). */
const OID = /^([01]\.[1-3]?\d|2\.(0|[1-9]\d*))(\.(0|[1-9]\d*))+$/

function partFaults(rule: SubjectPart): string[] {
  const { attribute, prefix, separator, index, pieces, value } = rule
  if (attribute !== undefined && value !== undefined) {
    return [
      'it has both attribute and value; write attribute, or value for a part that is always the same',
    ]
  }
  if (attribute === undefined && value === undefined) {
    return ['write attribute (an object identifier), or value for a part that is always the same']
  }
  const faults: string[] = []
  if (attribute === undefined && (prefix ?? separator ?? index ?? pieces) !== undefined) {
    faults.push('prefix, separator, index and pieces go with attribute, not with value')
  }
  if (attribute !== undefined && !OID.test(attribute)) {
    faults.push(`${attribute} is no object identifier; write it dotted: 2.5.4.5 for serialNumber`)
  }
  if (value?.includes('/') === true) faults.push('a part of an identifier holds no slash')
  if (attribute !== undefined) faults.push(...splitFaults(rule))
  return faults
}

function splitFaults({ separator, index, pieces }: SubjectPart): string[] {
  if (separator === undefined) {
    return (index ?? pieces) === undefined
      ? []
      : ['index and pieces need a separator at which the value is split']
  }
  if (index === undefined) return ['a separator needs an index: which piece is it, from 0?']
  if (pieces !== undefined && index >= pieces) {
    return [`there is no piece ${index} of ${pieces}: the first is 0`]
  }
  return []
}
