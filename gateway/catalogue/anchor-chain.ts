import { decodeProtectedHeader } from 'jose'
import { Agent, request } from 'undici'
import { CertificateError, parseCertificate } from '../../pki/certificate.ts'
import {
  anchorsAfter,
  numberOf,
  parseAnchorStatement,
  thumbprintsOf,
  type AnchorContent,
} from '../../protocol/anchor-statement.ts'
import { canonicalJson } from '../../protocol/canonical-json.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { LIMITS } from '../../protocol/limits.ts'
import type { Anchor } from '../../protocol/snapshot.ts'
import type { Clock } from '../../runtime/clock.ts'
import { BodyTooLongError, readAtMost } from '../../runtime/http-body.ts'
import type { Logger } from '../../runtime/logger.ts'
import { readHeldAnchor, writeHeldAnchor, type HeldAnchor } from './anchor-store.ts'

/** What an operator is told of the anchor. */
export interface AnchorState {
  readonly number: number
  /** RFC 7638 thumbprints. */
  readonly keys: readonly string[]
  /** When it was taken, RFC 3339; undefined for the file that a person gave. */
  readonly adoptedAt: string | undefined
  readonly catalogueUrl: string
  /** Why a later one could not be had or was not taken. */
  readonly fault: string | undefined
}

/** Whom this gateway believes, through the rotations of the catalogue's keys (protocol/README.md §7.10). */
export interface AnchorChain extends AsyncDisposable {
  /** What counts now: its members change as later anchors are taken. */
  readonly anchor: Anchor
  readonly state: AnchorState
  /** For connections to the catalogue; another one after the roots changed. */
  agent(): Agent
  /** Who signed a snapshot that was verified. */
  readonly signerOf: (jws: string) => string
  /** Whether the anchor has that key still. */
  readonly counts: (signer: string) => boolean
  /**
   * Takes the anchors that there are after this one, when a snapshot says so or cannot be verified without; when
   * there is none, when an earlier attempt failed.
   *
   * @param jws not verified yet.
   * @throws ExchangeError `anchor.*`, `catalogue.unavailable` when the snapshot cannot be verified then.
   */
  follow(jws?: string): Promise<void>
  /** After a failure: whether the catalogue is at the address that the anchor names meanwhile. Throws nothing. */
  tryNewAddress(): Promise<void>
}

const ANSWER_MS = 10_000
const KEPT_LEFT_OUT = 64

/** @throws ConfigError when what was taken before cannot be read. */
export async function openAnchorChain(options: {
  /** What the person gave. */
  readonly given: Anchor
  readonly file: string
  readonly clock: Clock
  readonly logger: Logger
}): Promise<AnchorChain> {
  const { file, clock, logger } = options
  let held: HeldAnchor = readHeldAnchor(file, options.given, logger)
  let thumbprints = await thumbprintsOf(held.anchor)
  let fault: string | undefined
  let hasAsked = false
  const connect = (): Agent =>
    new Agent({ connect: { ca: held.anchor.rootCertificates, timeout: ANSWER_MS } })
  let agent = connect()

  const get = async (number: number): Promise<string | undefined> => {
    const url = new URL(`/anchors/${number}`, held.catalogueUrl)
    const timeouts = { headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS }
    const { statusCode, body } = await request(url, { dispatcher: agent, ...timeouts })
    const bytes = await readAtMost(body, LIMITS.anchorBytes).catch((cause: unknown) => {
      if (!(cause instanceof BodyTooLongError)) throw cause
      const detail = `the anchor statement is not one: ${cause.message}`
      throw new ExchangeError('anchor.malformed', detail, { cause })
    })
    if (statusCode === 404) return undefined
    if (statusCode === 200) return bytes.toString('utf8')
    const detail = `the catalogue answered ${statusCode} when it was asked for anchor ${number}`
    throw new ExchangeError('catalogue.unavailable', detail)
  }
  /** What is not on disk is not used: after a crash the gateway would be back behind it. */
  const hold = (next: HeldAnchor): void => {
    writeHeldAnchor(file, next)
    held = next
  }
  const take = (next: AnchorContent): void => {
    verifyRoots(next)
    const before = held.anchor
    const left = thumbprints.filter((key) => !next.keys.some(({ kid }) => kid === key))
    const added = next.keys.flatMap(({ kid }) => (thumbprints.includes(kid!) ? [] : [kid!]))
    hold({
      anchor: next,
      adoptedAt: clock().toISOString(),
      catalogueUrl: held.catalogueUrl,
      leftOut: [...left, ...held.leftOut].slice(0, KEPT_LEFT_OUT),
    })
    thumbprints = next.keys.map(({ kid }) => kid!) // a statement names them so
    logger.info({ anchor: next.number, added, leftOut: left }, 'took the next anchor')
    if (before.rootCertificates.join() !== next.rootCertificates.join()) {
      void agent.close()
      agent = connect()
    }
  }
  const catchUp = async (): Promise<void> => {
    hasAsked = true
    for await (const next of anchorsAfter(held.anchor, get)) take(next)
    fault = undefined
    await tryNewAddress()
  }
  const askNewAddress = async (): Promise<void> => {
    const { catalogueUrl, number } = held.anchor
    if (catalogueUrl === held.catalogueUrl) return
    const url = new URL('/status', catalogueUrl)
    const timeouts = { headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS }
    const answers = await request(url, { dispatcher: agent, ...timeouts })
      .then(async ({ statusCode, body }) => {
        await body.dump()
        return statusCode === 200
      })
      .catch(() => false)
    if (!answers) {
      fault = `anchor ${number} says that the catalogue is at ${catalogueUrl}, where it does not answer yet`
      return
    }
    fault = undefined
    hold({ ...held, catalogueUrl })
    logger.info({ catalogueUrl }, 'follows the catalogue at its new address')
  }

  const tryNewAddress = (): Promise<void> =>
    askNewAddress().catch((error: unknown) => {
      fault = wordsOf(error)
      logger.warn({ err: error }, 'the new address of the catalogue cannot be kept')
    })

  const hasKey = (kid: string): boolean =>
    thumbprints.includes(kid) || held.anchor.keys.some((key) => key.kid === kid)
  /** Why nobody can tell by whom a snapshot is. @throws ExchangeError */
  const explain = async (kid: string): Promise<never> => {
    const { number } = held.anchor
    const own = held.adoptedAt === undefined ? undefined : await get(number)
    if (own !== undefined) {
      const { content } = await parseAnchorStatement(own)
      if (canonicalJson(content) !== canonicalJson(held.anchor)) {
        const detail = `there are two anchors with the number ${number}: the catalogue contradicts itself`
        throw new ExchangeError('anchor.not-next', detail)
      }
    }
    const why = held.leftOut.includes(kid)
      ? `which anchor ${number} left out: it signs nothing any more`
      : `which anchor ${number} does not have, and there is no anchor ${number + 1}`
    throw new ExchangeError('catalogue.unavailable', `the snapshot is signed by ${kid}, ${why}`)
  }

  const anchor: Anchor = {
    get instance() {
      return held.anchor.instance
    },
    get number() {
      return held.anchor.number
    },
    get catalogueUrl() {
      return held.catalogueUrl
    },
    get keys() {
      return held.anchor.keys
    },
    get rootCertificates() {
      return held.anchor.rootCertificates
    },
  }
  return {
    anchor,
    get state() {
      const { adoptedAt, catalogueUrl } = held
      return { number: held.anchor.number, keys: thumbprints, adoptedAt, catalogueUrl, fault }
    },
    agent: () => agent,
    // Without `kid` it was the one fitting key of the anchor of that time.
    signerOf: (jws) => readHint(jws).kid ?? `a key of anchor ${held.anchor.number}`,
    counts: (signer) => hasKey(signer) || signer === `a key of anchor ${held.anchor.number}`,
    follow: async (jws) => {
      const { kid, number = 0 } = jws === undefined ? {} : readHint(jws)
      const isUnknown = kid !== undefined && !hasKey(kid)
      if (hasAsked && fault === undefined && !isUnknown && number <= numberOf(anchor)) return
      try {
        await catchUp()
      } catch (error) {
        const text = wordsOf(error)
        if (text !== fault) logger.warn({ err: error }, 'the next anchor is not taken')
        fault = text
        if (isUnknown) throw error
      }
      if (isUnknown && !hasKey(kid)) await explain(kid)
    },
    tryNewAddress,
    [Symbol.asyncDispose]: () => agent.destroy(),
  }
}

const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** By roots that nobody can read no connection comes about, nor the anchor that would mend it. */
function verifyRoots({ number, rootCertificates }: AnchorContent): void {
  try {
    rootCertificates.forEach((pem) => parseCertificate(pem))
  } catch (cause) {
    if (!(cause instanceof CertificateError)) throw cause
    const detail = `the roots in anchor ${number} cannot be read: ${cause.message}`
    throw new ExchangeError('anchor.malformed', detail, { cause })
  }
}

/** What the header of a snapshot says, which nobody has verified. */
function readHint(jws: string): { readonly kid?: string; readonly number?: number } {
  try {
    const { kid, anchor } = decodeProtectedHeader(jws) as { kid?: unknown; anchor?: unknown }
    return {
      ...(typeof kid === 'string' ? { kid } : {}),
      ...(Number.isSafeInteger(anchor) ? { number: Number(anchor) } : {}),
    }
  } catch {
    return {}
  }
}
