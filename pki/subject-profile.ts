import type { SubjectPart, SubjectProfile } from '../protocol/snapshot.ts'
import { ConfigError } from '../runtime/config.ts'
import { DerError, parseDer } from './der.ts'
import { encodeName, readName, type NameAttribute } from './distinguished-name.ts'

/** Whom a certificate speaks for, as the identifiers of the exchange name it. */
export interface CertificateIdentity {
  readonly instance: string
  readonly memberClass: string
  readonly member: string
  /** Set in authentication certificates. */
  readonly gateway?: string
  /** Set in certificates of an information system that is bound to one subsystem. */
  readonly subsystem?: string
}

export type IdentityPart = keyof CertificateIdentity

/** In the order in which identifiers write them. */
export const IDENTITY_PARTS: readonly IdentityPart[] = [
  'instance',
  'memberClass',
  'member',
  'gateway',
  'subsystem',
]

/** What a subject says by a profile: whom it names, or why it names nobody. */
export type SubjectReading =
  | { readonly identity: CertificateIdentity; readonly fault?: undefined }
  | {
      readonly identity?: undefined
      /** One clause that begins with the part: `member: the attribute 2.5.4.3 is missing`. */
      readonly fault: string
    }

/**
 * Reads the identity in a subject as its authority writes it (protocol/README.md §7.5). Attributes
 * that the profile does not name, such as C, are passed over.
 *
 * @param subjectDer Name (RFC 5280 §4.1.2.4), set by whoever asked for the certificate.
 */
export function readSubject(subjectDer: Uint8Array, profile: SubjectProfile): SubjectReading {
  let attributes: Attribute[]
  try {
    attributes = readName(parseDer(subjectDer)).flat()
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    return { fault: `the subject cannot be read: ${error.message}` }
  }
  const found: Partial<Record<IdentityPart, string>> = {}
  for (const part of IDENTITY_PARTS) {
    const rule = profile[part]
    if (rule === undefined) continue
    const { text, fault } = readPart(rule, attributes)
    if (text !== undefined) found[part] = text
    else if (fault !== ABSENT || !isOptional(part)) return { fault: `${part}: ${fault}` }
  }
  const { instance = '', memberClass = '', member = '', ...rest } = found
  return { identity: { instance, memberClass, member, ...rest } }
}

/** @returns undefined when the subject names nobody by this profile. */
export function readIdentityBy(
  subjectDer: Uint8Array,
  profile: SubjectProfile,
): CertificateIdentity | undefined {
  return readSubject(subjectDer, profile).identity
}

/** Parts that not every certificate has: without their attribute they are left out. */
const isOptional = (part: IdentityPart): boolean => part === 'gateway' || part === 'subsystem'

interface Attribute {
  readonly type: string
  readonly text: string | undefined
}
type PartReading = { readonly text: string; readonly fault?: undefined } | PartFault
interface PartFault {
  readonly text?: undefined
  readonly fault: string
}

const ABSENT = 'its attribute is missing'

function readPart(rule: SubjectPart, attributes: readonly Attribute[]): PartReading {
  const { attribute, prefix = '', separator, index = 0, pieces } = rule
  if (attribute === undefined) return checked(rule.value ?? '')
  const values = attributes.filter(({ type }) => type === attribute)
  if (values.length === 0) return { fault: ABSENT }
  if (values.length > 1) return { fault: `the attribute ${attribute} stands more than once` }
  const text = values[0]?.text
  if (text === undefined) return { fault: `the attribute ${attribute} is not a text` }
  if (!text.startsWith(prefix)) return { fault: `${quote(text)} does not begin with ${prefix}` }
  const rest = text.slice(prefix.length)
  if (separator === undefined) return checked(rest)
  const split = rest.split(separator)
  // Who chooses one piece could write a separator into it, and so choose the next piece too.
  if (pieces !== undefined && split.length !== pieces) {
    return { fault: `${quote(rest)} has not ${pieces} pieces between ${quote(separator)}` }
  }
  const piece = split[index]
  return piece === undefined
    ? { fault: `${quote(rest)} has no piece ${index} between ${quote(separator)}` }
    : checked(piece)
}

function checked(text: string): PartReading {
  if (text === '') return { fault: 'it is empty' }
  // A slash would let two identities have one text.
  return text.includes('/') ? { fault: `${quote(text)} holds a slash` } : { text }
}

const quote = (text: string): string => JSON.stringify(text)

/**
 * Writes the subject for an identity as an authority with this profile wants it, for a CSR.
 *
 * @param others attributes outside of the profile, put first: C, O.
 * @throws ConfigError when the profile does not say what to write: pieces of a value that nobody knows, or
 *   a value that would be read back as another.
 */
export function subjectBy(
  identity: CertificateIdentity,
  profile: SubjectProfile,
  others: readonly NameAttribute[] = [],
): Buffer {
  const subject = encodeName([...others, ...attributesOf(identity, profile)])
  const reading = readSubject(subject, profile)
  const lost = IDENTITY_PARTS.find((part) => reading.identity?.[part] !== identity[part])
  if (lost === undefined) return subject
  const why = reading.fault ?? `${lost} would be read as ${reading.identity?.[lost] ?? 'nothing'}`
  throw new ConfigError(`the profile cannot write ${Object.values(identity).join('/')}: ${why}`)
}

/** The attributes of a profile with the parts of an identity in them; whether they read back is not looked at. */
export function attributesOf(
  identity: CertificateIdentity,
  profile: SubjectProfile,
): NameAttribute[] {
  const byAttribute = new Map<string, { rule: SubjectPart; pieces: (string | undefined)[] }>()
  for (const part of IDENTITY_PARTS) {
    const rule = profile[part]
    const value = identity[part]
    if (rule?.attribute === undefined || value === undefined) continue
    const { pieces } = byAttribute.get(rule.attribute) ?? {
      pieces: Array.from<string | undefined>({ length: rule.pieces ?? 0 }),
    }
    pieces[rule.index ?? 0] = value
    byAttribute.set(rule.attribute, { rule, pieces })
  }
  return [...byAttribute].map(([type, { rule, pieces }]) => {
    if (Array.from(pieces).includes(undefined)) {
      throw new ConfigError(`the profile names only some of the pieces of the attribute ${type}`)
    }
    const { prefix = '', separator = '' } = rule
    return { type, value: prefix + pieces.join(separator) }
  })
}
