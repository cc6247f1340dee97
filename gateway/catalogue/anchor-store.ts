import { existsSync, readFileSync } from 'node:fs'
import { numberOf, type NumberedAnchor } from '../../protocol/anchor-statement.ts'
import type { Anchor } from '../../protocol/snapshot.ts'
import { ConfigError } from '../../runtime/config.ts'
import type { Logger } from '../../runtime/logger.ts'
import { writePrivateFileDurably } from '../../runtime/private-file.ts'

/** The anchor by which a gateway works, and how it came to it. */
export interface HeldAnchor {
  readonly anchor: NumberedAnchor
  /** RFC 3339; absent for the file that a person gave. */
  readonly adoptedAt?: string
  /** Where the catalogue was last reached: a new address counts once it has answered. */
  readonly catalogueUrl: string
  /** Thumbprints of keys that anchors before had, for whoever reads a refusal. */
  readonly leftOut: readonly string[]
}

/**
 * The anchor of the person, or what was taken after it, whichever has the higher number. Of one number with other
 * keys it is the person's: what was taken was another's.
 *
 * @throws ConfigError when the file of what was taken is damaged: without it the gateway would go back.
 */
export function readHeldAnchor(file: string, given: Anchor, logger: Logger): HeldAnchor {
  const own = { anchor: { ...given, number: numberOf(given) }, leftOut: [] }
  const fromPerson = { ...own, catalogueUrl: given.catalogueUrl }
  if (!existsSync(file)) return fromPerson
  const taken = readTaken(file)
  const numbers = { number: taken.anchor.number, anchorFile: own.anchor.number }
  const isOther =
    taken.anchor.instance !== given.instance ||
    (taken.anchor.number === own.anchor.number && kidsOf(taken.anchor) !== kidsOf(given))
  if (isOther || taken.anchor.number < own.anchor.number) {
    logger.warn(numbers, 'the anchor file counts from now on, not the anchor that was taken')
    return fromPerson
  }
  logger.info(numbers, 'works by an anchor that was taken from the catalogue')
  return taken
}

/** @returns when no power cut takes it away again. */
export function writeHeldAnchor(file: string, held: HeldAnchor): void {
  writePrivateFileDurably(file, `${JSON.stringify(held, undefined, 2)}\n`)
}

const kidsOf = ({ keys }: Pick<Anchor, 'keys'>): string => keys.map(({ kid }) => kid).join()

function readTaken(file: string): HeldAnchor {
  try {
    const held = JSON.parse(readFileSync(file, 'utf8')) as HeldAnchor
    const { anchor, catalogueUrl, leftOut } = held
    const isWhole = Array.isArray(anchor.keys) && Array.isArray(anchor.rootCertificates)
    if (isWhole && Number.isSafeInteger(anchor.number) && catalogueUrl && Array.isArray(leftOut)) {
      return held
    }
  } catch (cause) {
    throw damaged(file, cause)
  }
  throw damaged(file)
}

const damaged = (file: string, cause?: unknown): ConfigError =>
  new ConfigError(
    `${file}: is not the anchor that this gateway wrote; restore it from a backup, ` +
      'or give the newest anchor.json of the catalogue as anchorFile and remove this file',
    { cause },
  )
