import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  numberOf,
  parseAnchorStatement,
  signAnchor,
  verifyAnchorStatement,
  type AnchorContent,
  type AnchorSigner,
  type NumberedAnchor,
} from '../protocol/anchor-statement.ts'
import { ExchangeError } from '../protocol/errors.ts'
import { ConfigError } from '../runtime/config.ts'
import { writePrivateFileDurably } from '../runtime/private-file.ts'

/**
 * Every anchor that this catalogue has had, in `stateDir/anchors/N.json`: statements as they are served, and those
 * that people carry. Files, so that a database restored from a backup takes none of them away.
 */
export interface AnchorLedger {
  /** Undefined before the first. */
  readonly newest: NumberedAnchor | undefined
  /** The oldest first. */
  all(): readonly NumberedAnchor[]
  /** As it is served; undefined when there is none of this number, or people carry it. */
  statement(number: number): string | undefined
  /** An anchor that people carry: the first, or one after all keys were lost. */
  begin(anchor: NumberedAnchor): void
  /**
   * After one that was begun.
   *
   * @returns the anchor, when no power cut takes it away again.
   * @throws ExchangeError `anchor.*` when gateways would not take it.
   */
  append(content: AnchorContent, signers: readonly AnchorSigner[]): Promise<NumberedAnchor>
}

/** @throws ConfigError when a file of it is not what was written. */
export async function openAnchorLedger(stateDir: string): Promise<AnchorLedger> {
  const folder = join(stateDir, 'anchors')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const fileOf = (number: number): string => join(folder, `${number}.json`)
  const numbers = readdirSync(folder)
    .flatMap((name) => /^([1-9]\d{0,15})\.json$/.exec(name)?.[1] ?? [])
    .map(Number)
    .toSorted((a, b) => a - b)
  const known: NumberedAnchor[] = []
  for (const number of numbers) known.push(await readEntry(fileOf(number), number))
  return {
    get newest() {
      return known.at(-1)
    },
    all: () => known,
    statement: (number) => {
      if (!Number.isSafeInteger(number) || !existsSync(fileOf(number))) return undefined
      const text = readFileSync(fileOf(number), 'utf8')
      return isStatement(text) ? text : undefined
    },
    begin: (anchor) => {
      writePrivateFileDurably(fileOf(anchor.number), `${JSON.stringify(anchor, undefined, 2)}\n`)
      known.push(anchor)
    },
    append: async (content, signers) => {
      const text = await signAnchor(content, signers)
      await verifyAnchorStatement(text, known.at(-1)!) // nothing is published that a gateway would not take
      writePrivateFileDurably(fileOf(content.number), text)
      const { version: _version, ...anchor } = content
      known.push(anchor)
      return anchor
    },
  }
}

const isStatement = (text: string): boolean => 'payload' in (JSON.parse(text) as object)

async function readEntry(file: string, number: number): Promise<NumberedAnchor> {
  try {
    const text = readFileSync(file, 'utf8')
    const anchor = isStatement(text)
      ? (await parseAnchorStatement(text)).content
      : (JSON.parse(text) as NumberedAnchor)
    if (numberOf(anchor) === number) return anchor
  } catch (cause) {
    if (!(cause instanceof SyntaxError) && !(cause instanceof ExchangeError)) throw cause
    throw new ConfigError(`${file}: is no anchor (${cause.message})`, { cause })
  }
  throw new ConfigError(`${file}: is another anchor than number ${number}`)
}
