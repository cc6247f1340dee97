import type { ApiClient } from '../../runtime/api-client.ts'
import type { Path } from './read-files.ts'

/** One thing as files write it, by field; what the API adds to it (digests, dates) is left out. */
export type Fields = Readonly<Record<string, unknown>>

export type RequestKind = 'member' | 'subsystem' | 'gateway' | 'service'

/** What became of a change. */
export type Outcome =
  | { readonly kind: 'done' }
  /** In force later, as the catalogue decided. */
  | { readonly kind: 'planned'; readonly text: string }
  /** Waits for the operator. */
  | { readonly kind: 'asked'; readonly id: string }

export const DONE: Outcome = { kind: 'done' }

/** Helps to read one entry of a file; faults are collected and thrown together. */
export interface FileHelp {
  /** Of a reference: with the instance before it, unless it is there. */
  id(text: string): string
  /** PEM certificates of the text, or of the file that it names. */
  certificates(text: string, path: Path): string[]
  /** Digest of the description that the value is, or of the file that it names. */
  description(value: unknown, path: Path): string
  fault(path: Path, text: string): void
}

export interface Act {
  readonly api: ApiClient
  readonly key: string
  readonly before: Fields | undefined
  readonly after: Fields
  /** What the file says, and no more. */
  readonly wanted: Fields
  /** Names of the fields that differ. */
  readonly changed: readonly string[]
  /** Puts it, or asks the operator to. */
  put(kind: RequestKind, path: string, body: Fields): Promise<Outcome>
  /** A description by its digest: of the files, else of the catalogue. */
  document(digest: string): Promise<object>
}

/** One section of a file: how it is written there, read and changed by the API. */
export interface Section {
  /** In files; of a gateway's below `gatewaySettings`. */
  readonly name: string
  /** Of one entry, for people. */
  readonly word: string
  /** `single`: there is one of it, always. */
  readonly form: 'map' | 'list' | 'single'
  /** Of a key that is an identifier: how many parts come after the instance, at least and at most. */
  readonly parts?: readonly [number, number]
  /** A field that the file leaves out stays as it is; otherwise it goes. */
  readonly keeps: boolean
  /** Lists that only grow, unless entries are pruned. */
  readonly additive?: readonly string[]
  /** Fields that say how a change is made, not what is so afterwards. */
  readonly how?: readonly string[]
  /** Fields without which there can be no new one. */
  readonly needed?: readonly string[]
  /** Who may ask for what only the operator puts. */
  readonly asks?: { readonly kind: RequestKind; readonly fields: readonly string[] }
  fromFile(value: unknown, help: FileHelp, path: Path): Fields
  /** The key of an entry of a list. */
  keyOf?(fields: Fields): string
  read(api: ApiClient): Promise<Map<string, Fields>>
  put(act: Act): Promise<Outcome>
  remove(api: ApiClient, key: string, before: Fields): Promise<void>
  /** What is asked for, when it is asked for; by the same function as it is put. */
  body?(fields: Fields, document: (digest: string) => object | undefined): Fields
  /** As files write it; what is not said here is written as it is. */
  toFile?(fields: Fields): unknown
}

/** These fields, of those that there are. */
export function pick(fields: Fields, names: readonly string[]): Fields {
  return Object.fromEntries(
    names.flatMap((name) => (fields[name] === undefined ? [] : [[name, fields[name]]])),
  )
}

export const sortedTexts = (value: unknown): string[] => [...new Set(value as string[])].toSorted()

/** Texts as they are, else as JSON. */
export const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
