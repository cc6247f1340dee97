/** Strict reader of DER (ITU-T X.690 §8 to §11), for input that anyone may have written. */
import type { ErrorCode } from '../protocol/errors.ts'

export type EncodingCode = Extract<ErrorCode, `encoding.${string}`>

/** The bytes are not the DER they should be. The message is one sentence a stranger may read. */
export class DerError extends Error {
  override readonly name = 'DerError'
  readonly code: EncodingCode

  constructor(message: string, options: { code?: EncodingCode; cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.code = options.code ?? 'encoding.malformed'
  }
}

/** One value with its place in the input; `content` and `encoded` are views, not copies. */
export interface DerNode {
  /** The identifier octet: class, constructed bit and number (X.690 §8.1.2). */
  readonly tag: number
  readonly content: Buffer
  /** Identifier, length and content. */
  readonly encoded: Buffer
  /** Values inside a constructed one; empty for a primitive one. */
  readonly children: readonly DerNode[]
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const

/** Identifier octet of a context-specific tag. */
export function contextTag(number: number, form: 'primitive' | 'constructed'): number {
  return (form === 'constructed' ? 0xa0 : 0x80) | number
}

/** How much is read before the reader gives up. */
export interface DerLimits {
  readonly maxBytes: number
  readonly maxNodes: number
}

const MAX_DEPTH = 24
const DEFAULT_LIMITS: DerLimits = { maxBytes: 512 * 1024, maxNodes: 20_000 }

/**
 * Reads exactly one value and everything inside it.
 *
 * @param limits 512 KiB and 20 000 values unless a structure is known to be larger.
 * @throws DerError for indefinite or padded lengths, lengths beyond the value around it, padded
 * integers, booleans other than 00 and FF, bytes behind the value, and input over the limits or over
 * 24 levels.
 */
export function parseDer(bytes: Uint8Array, limits: DerLimits = DEFAULT_LIMITS): DerNode {
  if (bytes.length > limits.maxBytes) {
    throw new DerError(`more than ${limits.maxBytes} bytes`, { code: 'encoding.too-large' })
  }
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const node = readValue(buffer, 0, { depth: 0, count: { nodes: 0, ...limits } })
  if (node.encoded.length !== buffer.length)
    throw new DerError('bytes follow the value', { code: 'encoding.trailing-bytes' })
  return node
}

interface Budget {
  readonly depth: number
  readonly count: { nodes: number; readonly maxNodes: number }
}

function readValue(bytes: Buffer, start: number, budget: Budget): DerNode {
  if (budget.depth > MAX_DEPTH)
    throw new DerError(`more than ${MAX_DEPTH} levels`, { code: 'encoding.too-deep' })
  if (++budget.count.nodes > budget.count.maxNodes) {
    const message = `more than ${budget.count.maxNodes} values`
    throw new DerError(message, { code: 'encoding.too-large' })
  }
  const tag = bytes[start]
  if (tag === undefined)
    throw new DerError('a value is cut off before its tag', { code: 'encoding.truncated' })
  if ((tag & 0x1f) === 0x1f) throw new DerError('a tag has more than one octet')
  const { length, contentStart } = readLength(bytes, start + 1)
  const end = contentStart + length
  if (end > bytes.length)
    throw new DerError('a value is longer than what is around it', { code: 'encoding.truncated' })
  const content = bytes.subarray(contentStart, end)
  const node = { tag, content, encoded: bytes.subarray(start, end) }
  if ((tag & 0x20) === 0) {
    checkPrimitive(node)
    return { ...node, children: [] }
  }
  if (tag < 0x40 && tag !== TAG.sequence && tag !== TAG.set) {
    throw new DerError('a string is in constructed form', { code: 'encoding.not-minimal' }) // X.690 §10.2
  }
  return { ...node, children: readAll(content, { ...budget, depth: budget.depth + 1 }) }
}

function readAll(content: Buffer, budget: Budget): DerNode[] {
  const children: DerNode[] = []
  for (let at = 0; at < content.length; at += children.at(-1)!.encoded.length) {
    children.push(readValue(content, at, budget))
  }
  return children
}

function readLength(bytes: Buffer, at: number): { length: number; contentStart: number } {
  const first = bytes[at]
  if (first === undefined)
    throw new DerError('a value is cut off before its length', { code: 'encoding.truncated' })
  if (first < 0x80) return { length: first, contentStart: at + 1 }
  const octets = first & 0x7f
  if (octets === 0) throw new DerError('a length is indefinite', { code: 'encoding.not-minimal' }) // X.690 §10.1
  if (octets > 4) throw new DerError('a length is too long', { code: 'encoding.too-large' })
  if (at + 1 + octets > bytes.length) {
    throw new DerError('a value is cut off in its length', { code: 'encoding.truncated' })
  }
  const length = bytes.readUIntBE(at + 1, octets)
  const isMinimal = length >= 0x80 && bytes[at + 1] !== 0
  if (!isMinimal) throw new DerError('a length is padded', { code: 'encoding.not-minimal' }) // X.690 §10.1
  return { length, contentStart: at + 1 + octets }
}

function checkPrimitive({ tag, content }: { tag: number; content: Buffer }): void {
  if (tag === TAG.boolean && !(content.length === 1 && (content[0] === 0 || content[0] === 0xff))) {
    throw new DerError('a boolean is neither 00 nor FF', { code: 'encoding.not-minimal' }) // X.690 §11.1
  }
  if (tag === TAG.null && content.length > 0) throw new DerError('a NULL has content')
  if (tag === TAG.integer || tag === TAG.enumerated) checkInteger(content)
  if (tag === TAG.sequence - 0x20 || tag === TAG.set - 0x20) {
    throw new DerError('a sequence is in primitive form') // X.690 §8.9.1
  }
}

/** Content of an INTEGER, which only its reader can tell under an implicit tag. @throws DerError */
export function checkInteger(content: Buffer): void {
  const [first, second] = content
  if (first === undefined) throw new DerError('an integer is empty')
  const padded = second !== undefined && first === (second & 0x80 ? 0xff : 0x00)
  if (padded) throw new DerError('an integer is padded', { code: 'encoding.not-minimal' }) // X.690 §8.3.2
}

/** Goes through the values of a constructed one in order. */
export interface DerFields {
  /** The next value. @throws DerError when there is none, or its tag is another one. */
  readonly next: (tag?: number) => DerNode
  /** The next value when it has this tag; otherwise nothing is consumed. */
  readonly optional: (tag: number) => DerNode | undefined
  /** @throws DerError when a value is left. */
  readonly end: () => void
}

/** @throws DerError when the value's tag is not `tag`. */
export function fieldsOf(node: DerNode, tag: number = TAG.sequence): DerFields {
  expectTag(node, tag)
  let index = 0
  return {
    next: (wanted) => {
      const child = node.children[index]
      if (child === undefined) throw new DerError('a field is missing')
      if (wanted !== undefined) expectTag(child, wanted)
      index += 1
      return child
    },
    optional: (wanted) => {
      const child = node.children[index]
      if (child?.tag !== wanted) return undefined
      index += 1
      return child
    },
    end: () => {
      if (index < node.children.length) throw new DerError('there is a field too many')
    },
  }
}

/** The values of a SEQUENCE OF (or, with another tag, of a SET OF or a tagged one). */
export function itemsOf(node: DerNode, tag: number = TAG.sequence): readonly DerNode[] {
  expectTag(node, tag)
  return node.children
}

/** The single value inside an explicit tag. */
export function onlyChild(node: DerNode): DerNode {
  const [child] = node.children
  if (child === undefined || node.children.length > 1) {
    throw new DerError('a tagged value does not hold exactly one value')
  }
  return child
}

export function expectTag(node: DerNode, tag: number): void {
  if (node.tag !== tag) {
    throw new DerError(`found tag ${node.tag.toString(16)} instead of ${tag.toString(16)}`)
  }
}
