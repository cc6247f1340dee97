import { DerError, parseDer, type DerNode } from '../../pki/der.ts'
import type { Random } from './random.ts'

/** A value that can be changed and written again, with lengths that fit. */
interface Tree {
  tag: number
  /** Octets in front of the values inside: the unused bits of a BIT STRING. */
  prefix: Buffer
  content: Buffer | Tree[]
}

const OCTET_STRING = 0x04
const BIT_STRING = 0x03
const MAX_INPUT_BYTES = 64 * 1024
const ODD_INTEGERS = [
  '',
  '00',
  '80',
  'ff',
  '0080',
  '7fffffff',
  `7f${'ff'.repeat(40)}`,
  'ff00',
  '0000',
]
const TAGS = [
  0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0a, 0x0c, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1e, 0x30, 0x31,
]

/** Bytes that a decoder has not seen: seeds, changed where their structure is and then where it is not. */
export function mutate(seeds: readonly Buffer[], random: Random): Buffer {
  const seed = random.pick(seeds)
  let bytes = seed
  if (random.below(4) > 0) {
    const tree = treeOf(seed)
    const times = 1 + random.below(3)
    for (let n = 0; tree !== undefined && n < times; n += 1) changeTree(tree, seeds, random)
    if (tree !== undefined) bytes = encodeTree(tree)
  }
  const times = bytes === seed ? 1 + random.below(4) : random.below(2)
  for (let n = 0; n < times; n += 1) bytes = random.pick(BYTE_CHANGES)(bytes, random)
  return bytes.subarray(0, MAX_INPUT_BYTES)
}

/** Undefined for what is no DER, such as PEM. */
function treeOf(bytes: Uint8Array): Tree | undefined {
  try {
    return openNode(parseDer(bytes))
  } catch (error) {
    if (error instanceof DerError) return undefined
    throw error
  }
}

function openNode({ tag, content, children }: DerNode): Tree {
  const none = Buffer.alloc(0)
  if (children.length > 0) return { tag, prefix: none, content: children.map(openNode) }
  // Extensions, keys and OCSP answers are DER inside of a string.
  const start = tag === BIT_STRING ? 1 : 0
  const inner =
    tag === OCTET_STRING || tag === BIT_STRING ? treeOf(content.subarray(start)) : undefined
  if (inner !== undefined) return { tag, prefix: content.subarray(0, start), content: [inner] }
  return { tag, prefix: none, content: Buffer.from(content) }
}

function encodeTree({ tag, prefix, content }: Tree): Buffer {
  const body = Buffer.isBuffer(content) ? [content] : content.map(encodeTree)
  const length = body.reduce((sum, part) => sum + part.length, prefix.length)
  return Buffer.concat([Buffer.of(tag), lengthOf(length), prefix, ...body])
}

function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length)
  const octets = Buffer.alloc(4)
  octets.writeUInt32BE(length)
  const minimal = octets.subarray(octets.findIndex((octet) => octet > 0))
  return Buffer.concat([Buffer.of(0x80 | minimal.length), minimal])
}

function everyTree(tree: Tree): Tree[] {
  return Buffer.isBuffer(tree.content) ? [tree] : [tree, ...tree.content.flatMap(everyTree)]
}

function changeTree(tree: Tree, seeds: readonly Buffer[], random: Random): void {
  const place = random.pick(everyTree(tree))
  const donor = treeOf(random.pick(seeds))
  const change = random.below(8)
  if (change === 0) place.tag = random.pick(TAGS)
  else if (change === 1) place.tag ^= 1 << random.below(8)
  else if (change === 2 && donor !== undefined) Object.assign(place, random.pick(everyTree(donor)))
  else if (change === 3) nest(place, 1 + random.below(40))
  else if (Buffer.isBuffer(place.content)) place.content = changeContent(place.content, random)
  else changeList(place.content, random)
}

function nest(place: Tree, levels: number): void {
  for (let level = 0; level < levels; level += 1) {
    place.content = [{ ...place }]
    place.prefix = Buffer.alloc(0)
    place.tag = 0x30
  }
}

function changeContent(content: Buffer, random: Random): Buffer {
  if (random.below(3) === 0) return Buffer.from(random.pick(ODD_INTEGERS), 'hex')
  if (content.length === 0) return Buffer.alloc(1 + random.below(200), random.below(256))
  return random.pick(BYTE_CHANGES)(content, random)
}

function changeList(items: Tree[], random: Random): void {
  const at = random.below(items.length)
  const change = random.below(4)
  if (change === 0) items.splice(at, 1)
  else if (change === 1 && items.length > 0) items.splice(at, 0, copyOf(items[at]!))
  else if (change === 2) items.reverse()
  else if (items.length > 0) {
    const most = Math.floor(MAX_INPUT_BYTES / encodeTree(items[at]!).length)
    const copies = Array.from({ length: random.below(Math.min(most, 300)) }, () =>
      copyOf(items[at]!),
    )
    items.push(...copies)
  }
}

/** Nothing stands in two places: a change of one would be a change of all. */
function copyOf({ tag, prefix, content }: Tree): Tree {
  return { tag, prefix, content: Buffer.isBuffer(content) ? content : content.map(copyOf) }
}

type ByteChange = (bytes: Buffer, random: Random) => Buffer

const BYTE_CHANGES: readonly ByteChange[] = [
  (bytes, random) =>
    withByte(bytes, random.below(bytes.length), (octet) => octet ^ (1 << random.below(8))),
  (bytes, random) => withByte(bytes, random.below(bytes.length), () => random.below(256)),
  // What looks like the start of a length: short, long, indefinite, huge.
  (bytes, random) => {
    const place = bytes.findIndex((octet, i) => i > random.below(bytes.length) && octet >= 0x80)
    return withByte(bytes, Math.max(place, 0), () =>
      random.pick([0x00, 0x7f, 0x80, 0x81, 0x84, 0x88, 0xff]),
    )
  },
  (bytes, random) => {
    const place = random.below(bytes.length)
    return Buffer.concat([
      bytes.subarray(0, place),
      Buffer.from('3084ffffffff', 'hex'),
      bytes.subarray(place),
    ])
  },
  (bytes, random) => bytes.subarray(0, random.below(bytes.length)),
  (bytes, random) => {
    const [from, size] = [random.below(bytes.length), random.below(64)]
    return Buffer.concat([bytes.subarray(0, from + size), bytes.subarray(from)])
  },
  (bytes, random) => Buffer.concat([bytes, Buffer.alloc(1 + random.below(16), random.below(256))]),
  (bytes, random) => {
    const place = random.below(bytes.length)
    return Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + 1 + random.below(8))])
  },
]

function withByte(bytes: Buffer, place: number, change: (octet: number) => number): Buffer {
  const changed = Buffer.from(bytes)
  if (changed.length > 0) changed[place] = change(changed[place]!)
  return changed
}
