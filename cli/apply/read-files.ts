/** Files of wanted state: YAML 1.2 or JSON, which is YAML too. */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { text as readAll } from 'node:stream/consumers'
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, visit } from 'yaml'
import type { Document } from 'yaml'
import { DocumentError, type Fault } from './faults.ts'

/** Keys and indexes from the root of a document. */
export type Path = readonly (string | number)[]

export interface SourceDocument {
  /** As it was named. */
  readonly file: string
  /** That paths in it are relative to. */
  readonly dir: string
  readonly value: unknown
  /** `FILE:LINE:COLUMN` of what is there; of its key when `of` is `key`. */
  place(path: Path, of?: 'key' | 'value'): string
}

const MAX_FILE_BYTES = 64 * 1024 * 1024
/** A few lines of aliases to aliases are gigabytes otherwise. */
const MAX_ALIASES = 100
const EXTENSIONS = /\.(ya?ml|json)$/i

/**
 * Reads files, the files of folders, and standard input (`-`).
 *
 * @throws DocumentError with the faults of all of them.
 */
export async function readFiles(names: readonly string[]): Promise<SourceDocument[]> {
  const faults: Fault[] = []
  const found: SourceDocument[] = []
  for (const name of names.flatMap((each) => filesOf(each, faults))) {
    const content = name === '-' ? await readInput() : readBytes(name, faults)
    if (content === undefined) continue
    const dir = name === '-' ? process.cwd() : dirname(name)
    const documents = parseDocuments(content, name === '-' ? 'standard input' : name, dir, faults)
    found.push(...documents)
  }
  if (faults.length > 0) throw new DocumentError(faults)
  return found
}

function filesOf(name: string, faults: Fault[]): string[] {
  if (name === '-') return [name]
  try {
    if (!statSync(name).isDirectory()) return [name]
    const inside = readdirSync(name)
      .filter((file) => EXTENSIONS.test(file))
      .toSorted()
    if (inside.length === 0)
      faults.push({ place: name, text: 'holds no .yaml, .yml or .json file' })
    return inside.map((file) => join(name, file))
  } catch (cause) {
    faults.push(unreadable(name, cause))
    return []
  }
}

const unreadable = (name: string, cause: unknown): Fault => ({
  place: name,
  text: `cannot be read (${(cause as NodeJS.ErrnoException).code})`,
})

/** @returns undefined when it cannot be read: then `faults` says why. */
export function readBytes(name: string, faults: Fault[]): string | undefined {
  try {
    const { size } = statSync(name)
    if (size > MAX_FILE_BYTES) {
      faults.push({ place: name, text: `has ${size} bytes, more than ${MAX_FILE_BYTES}` })
      return undefined
    }
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(name))
  } catch (cause) {
    faults.push(
      cause instanceof TypeError ? { place: name, text: 'is no UTF-8' } : unreadable(name, cause),
    )
    return undefined
  }
}

async function readInput(): Promise<string> {
  return await readAll(process.stdin)
}

/** Several of them stand between lines of `---`. What is wrong goes to `faults`. */
export function parseDocuments(
  content: string,
  file: string,
  dir: string,
  faults: Fault[],
): SourceDocument[] {
  const lines = new LineCounter()
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${file}:${line}:${col}`
  }
  const before = faults.length
  // The library compares each key with each: ten thousand services have a check of their own below
  const options = { version: '1.2', schema: 'core', uniqueKeys: false, lineCounter: lines } as const
  const documents = [parseAllDocuments(content, { ...options, prettyErrors: false })].flat()
  const parsed = documents.filter((document) => 'errors' in document && 'contents' in document)
  for (const document of parsed) {
    // One mistake of nesting is found once for each level
    const problems = [...document.errors, ...document.warnings].slice(0, 20)
    for (const { message, pos } of problems) faults.push({ place: at(pos[0]), text: message })
    checkKeys(document, at, faults)
  }
  if (parsed.length === 0) faults.push({ place: file, text: 'is empty' })
  if (faults.length > before) return []
  return parsed.flatMap((document) => {
    const root = document.contents?.range?.[0] ?? 0
    try {
      const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES })
      return [{ file, dir, value, place: (path, of) => at(offsetOf(document, path, of) ?? root) }]
    } catch (cause) {
      if (!(cause instanceof ReferenceError || cause instanceof RangeError)) throw cause
      const isDeep = cause instanceof RangeError
      const text = isDeep ? 'is nested too deeply' : `has more than ${MAX_ALIASES} aliases`
      faults.push({ place: at(root), text })
      return []
    }
  })
}

function checkKeys(document: Document, at: (offset: number) => string, faults: Fault[]): void {
  const wrong = (node: unknown, text: string): void => {
    const range = isScalar(node) || isMap(node) || isSeq(node) ? node.range : undefined
    faults.push({ place: at(range?.[0] ?? 0), text })
  }
  try {
    visit(document, {
      Map: (_key, map) => {
        const seen = new Set<string>()
        for (const { key } of map.items) {
          const name = keyOf(key)
          if (name === undefined) wrong(key, 'a key is a text')
          else if (seen.has(name)) wrong(key, `${name} is there twice`)
          else seen.add(name)
        }
      },
    })
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause
    faults.push({ place: at(0), text: 'is nested too deeply' })
  }
}

/** As the key of an object; undefined for what is none. */
function keyOf(key: unknown): string | undefined {
  const value = isScalar(key) ? key.value : undefined
  return ['string', 'number', 'boolean'].includes(typeof value)
    ? String(value as string)
    : undefined
}

/** Of the node, or of the nearest around it that there is. */
function offsetOf(
  document: Document,
  path: Path,
  of: 'key' | 'value' = 'value',
): number | undefined {
  let node: unknown = document.contents
  let offset: number | undefined
  for (const [depth, part] of path.entries()) {
    if (isAlias(node)) node = node.resolve(document)
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => keyOf(key) === String(part))
      if (!pair) break
      const isLast = depth === path.length - 1
      const key = isScalar(pair.key) ? pair.key.range?.[0] : undefined
      node = pair.value
      const value = isNode(node) ? node.range?.[0] : undefined
      offset = isLast && of === 'value' ? (value ?? key ?? offset) : (key ?? offset)
    } else if (isSeq(node)) {
      node = node.items[Number(part)]
      if (isNode(node)) offset = node.range?.[0] ?? offset
    } else break
  }
  return offset
}

const isNode = (node: unknown): node is { range?: [number, number, number] | null } =>
  isScalar(node) || isMap(node) || isSeq(node) || isAlias(node)
