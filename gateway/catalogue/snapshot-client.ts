import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { request, type Agent } from 'undici'
import { ExchangeError, type ErrorCode } from '../../protocol/errors.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { verifySnapshot, type Anchor, type Snapshot } from '../../protocol/snapshot.ts'
import { readAtMost } from '../../runtime/http-body.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { Logger } from '../../runtime/logger.ts'
import { writeFileAtomically } from '../../runtime/private-file.ts'
import type { Catalogue } from '../ports.ts'
import type { ToldTime } from '../trust/clock-check.ts'
import { openAnchorChain, type AnchorState } from './anchor-chain.ts'
import { createSnapshotFloor } from './snapshot-floor.ts'
import { createSnapshotDownload } from './snapshot-download.ts'
import { indexSnapshot, type IndexedSnapshot } from './view.ts'

export interface SnapshotClient extends Catalogue, AsyncDisposable {
  /** The newest snapshot, expired or not; undefined before the first. */
  readonly newest: IndexedSnapshot | undefined
  readonly health: CatalogueHealth
  /** The anchor that counts now, live: the one that was given, or a later one that it led to. */
  readonly anchor: Anchor
  readonly anchorState: AnchorState
  /** Calls back with every new snapshot, and at once with the one there is. */
  subscribe(listener: (snapshot: IndexedSnapshot) => void): void
  /** A service description, by the digest that the snapshot names; kept on disk. */
  description(digest: string): Promise<Buffer>
}

export interface CatalogueHealth {
  /** When the catalogue last answered. */
  readonly heardAt: Date | undefined
  /** What went wrong since then. */
  readonly fault: string | undefined
  /** The code, while it is the answer of the catalogue that is refused. */
  readonly refused: ErrorCode | undefined
  /** The highest number of a snapshot that was taken; lower ones are refused. */
  readonly highest: number
}

interface Options {
  /** As a person gave it; later ones are taken from the catalogue. */
  readonly anchor: Anchor
  /** Folder for the last good snapshot and for descriptions. */
  readonly dir: string
  /** Longest wait between two questions to the catalogue; it answers earlier when something changes. */
  readonly pollSeconds: number
  readonly clock: Clock
  readonly logger: Logger
  /** Called with the time of each answer: the catalogue proves who it is, so its clock is one to go by. */
  readonly onTime?: (told: ToldTime) => void
}

const MAX_DESCRIPTION_BYTES = 10 * 1024 * 1024
const ANSWER_MS = 10_000
/** An exchange waits no longer for a snapshot that its peer has, or that follows one that expired. */
const NEWER_MS = 2000
const HURRY_MS = 1000

/**
 * Follows the catalogue's signed snapshots (protocol/README.md §7): asks, verifies, refuses an older
 * number than it has, keeps the last good one on disk, and lives on it through an outage.
 */
export async function openSnapshotClient(options: Options): Promise<SnapshotClient> {
  const { dir, clock, logger } = options
  const chainFile = `${dir}/anchor.json`
  const chain = await openAnchorChain({ given: options.anchor, file: chainFile, clock, logger })
  const { anchor } = chain
  const file = `${dir}/snapshot.jws`
  const download = createSnapshotDownload(file)
  const listeners: ((snapshot: IndexedSnapshot) => void)[] = []
  const stop = new AbortController()
  /** The question that the catalogue holds now, as long as nothing of its answer has come. */
  let held: AbortController | undefined
  let newest: IndexedSnapshot | undefined
  let etag: string | undefined
  let heardAt: Date | undefined
  let fault: string | undefined
  let refused: ErrorCode | undefined
  /** What `etag` stands for was refused, and is until there is another. */
  let older: ExchangeError | undefined

  const floor = createSnapshotFloor()
  let signer = ''
  /** What a key signed that the anchor has no longer counts no longer. */
  const dropForeign = (): void => {
    floor.forgetUnless(chain.counts)
    if (newest === undefined || chain.counts(signer)) return
    logger.warn(
      { snapshot: newest.number, signer },
      'the snapshot in use is dropped: its key is out',
    )
    newest = undefined
    // Told of it once more, it says why it does not count: it is no longer what we have.
    download.drop()
  }
  const accept = async (jws: string): Promise<void> => {
    const snapshot: Snapshot = await verifySnapshot(jws, anchor)
    floor.forgetUnless(chain.counts)
    floor.verify(snapshot.number, jws)
    floor.raise(snapshot.number, jws, chain.signerOf(jws))
    if (new Date(snapshot.expiresAt) <= clock()) {
      throw new ExchangeError('catalogue.expired', `snapshot ${snapshot.number} has expired`)
    }
    newest = indexSnapshot(snapshot)
    signer = chain.signerOf(jws)
    for (const listener of [...listeners]) listener(newest)
  }

  /** What the catalogue has is what we had: it may have been dropped meanwhile. @throws ExchangeError */
  const verifyHeld = (): void => {
    if (newest !== undefined) return
    const detail = 'the snapshot of the catalogue is signed by a key that is out'
    throw new ExchangeError('catalogue.unavailable', detail)
  }

  const ask = async (question = new AbortController()): Promise<void> => {
    const before = performance.now()
    const isHeldBack = etag !== undefined
    held = question
    const { statusCode, headers, body } = await request(new URL('/snapshot', anchor.catalogueUrl), {
      dispatcher: chain.agent(),
      headers: {
        ...download.headers(),
        ...(etag === undefined
          ? {}
          : { 'if-none-match': etag, prefer: `wait=${Math.ceil(options.pollSeconds)}` }),
      },
      headersTimeout: ANSWER_MS + options.pollSeconds * 1000,
      bodyTimeout: ANSWER_MS,
      signal: AbortSignal.any([stop.signal, question.signal]),
    })
    held = undefined
    options.onTime?.({
      date: headers.date,
      against: `the catalogue at ${anchor.catalogueUrl}`,
      roundTripMs: isHeldBack ? undefined : performance.now() - before,
    })
    const bytes = await readAtMost(body, LIMITS.snapshotBytes)
    if (statusCode === 304) {
      await chain.follow().finally(dropForeign)
      if (older !== undefined) throw older
      return verifyHeld()
    }
    older = undefined
    if (statusCode !== 200) {
      throw new ExchangeError('catalogue.unavailable', `the catalogue answered ${statusCode}`)
    }
    const jws = await download.read(headers, bytes)
    const tag = typeof headers.etag === 'string' ? headers.etag : undefined
    if (jws === undefined) {
      await chain.follow().finally(dropForeign)
      verifyHeld()
    } else {
      await chain
        .follow(jws)
        .then(() => accept(jws))
        .catch((error: unknown) => {
          if (isOutdated(error)) [older, etag] = [error, tag]
          throw error
        })
        .finally(dropForeign)
      writeFileAtomically(file, jws)
      download.keep(jws)
    }
    etag = tag
    logger.info({ snapshot: newest?.number }, 'snapshot accepted')
  }

  const noteFault = (error: unknown): void => {
    fault = wordsOf(error)
    refused = error instanceof ExchangeError ? error.code : undefined
  }
  const follow = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const before = performance.now()
      const question = new AbortController()
      try {
        await ask(question)
        heardAt = clock()
        fault = undefined
        refused = undefined
      } catch (error) {
        if (stop.signal.aborted) return
        // Given up for being held too long: the next one is answered at once, if there is news.
        if (question.signal.aborted) continue
        if (wordsOf(error) !== fault)
          logger.warn({ err: error }, 'the catalogue cannot be followed')
        noteFault(error)
        // An older one is not fetched again and again: the next answer is another, or says that there is none.
        if (error !== older) etag = undefined
        await chain.tryNewAddress()
      }
      // A catalogue that answers at once, rightly or wrongly, is asked once a second at most.
      const pause = Math.max(0, 1000 - (performance.now() - before))
      await delay(pause, undefined, { signal: stop.signal }).catch(() => undefined)
    }
  }

  if (existsSync(file)) {
    const jws = readFileSync(file, 'ascii')
    await accept(jws)
      .then(() => download.keep(jws))
      .catch((error: unknown) => {
        logger.warn({ err: error }, 'the snapshot on disk is not used')
      })
  }
  if (newest === undefined) {
    await ask()
      .then(() => (heardAt = clock()))
      .catch(noteFault)
  }
  const current = (at: Date): IndexedSnapshot => {
    if (newest === undefined) {
      throw new ExchangeError(
        'catalogue.unavailable',
        'this gateway has not yet got a snapshot from the catalogue',
      )
    }
    if (newest.expiresAt <= at) {
      throw new ExchangeError(
        'catalogue.expired',
        `snapshot ${newest.number} expired at ${newest.expiresAt.toISOString()}`,
      )
    }
    return newest
  }

  let hurriedAt = -Infinity
  const following = follow()
  const arrival = (number: number): Promise<void> =>
    new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer)
        listeners.splice(listeners.indexOf(listener), 1)
        resolve()
      }
      const listener = (snapshot: IndexedSnapshot): void => {
        if (snapshot.number >= number) done()
      }
      const timer = setTimeout(done, NEWER_MS)
      listeners.push(listener)
    })

  return {
    get newest() {
      return newest
    },
    get health() {
      return { heardAt, fault, refused, highest: floor.number }
    },
    anchor,
    get anchorState() {
      return chain.state
    },
    subscribe: (listener) => {
      listeners.push(listener)
      if (newest) listener(newest)
    },
    current,
    atLeast: async (number, at) => {
      // After a sleep the catalogue has another one in a moment, if it can be heard at all.
      const slept = newest !== undefined && newest.expiresAt <= at && fault === undefined
      if (!slept && current(at).number >= number) return current(at)
      const wanted = slept ? Math.max(number, newest!.number + 1) : number
      // No more often than once a second, however many ask, and whatever they say.
      if (performance.now() - hurriedAt >= HURRY_MS) {
        hurriedAt = performance.now()
        held?.abort()
      }
      await arrival(wanted)
      return current(at)
    },
    description: (digest) => fetchDescription(digest, { dir, anchor, agent: chain.agent() }),
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await chain[Symbol.asyncDispose]() // what it asks ends at once
      await following
    },
  }
}

const isOutdated = (error: unknown): error is ExchangeError =>
  error instanceof ExchangeError && error.code === 'catalogue.outdated'
const wordsOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

async function fetchDescription(
  digest: string,
  { dir, anchor, agent }: { dir: string; anchor: Anchor; agent: Agent },
): Promise<Buffer> {
  const kept = `${dir}/descriptions/${digest}`
  if (existsSync(kept)) return readFileSync(kept)
  const url = new URL(`/descriptions/${digest}`, anchor.catalogueUrl)
  const { statusCode, bytes } = await ask(url, agent).catch((cause: unknown) => {
    const detail = 'the catalogue, which keeps the description, cannot be asked'
    throw new ExchangeError('catalogue.unavailable', detail, { cause })
  })
  const same = statusCode === 200 && (await sha256(bytes)) === digest
  if (!same) {
    throw new ExchangeError('service.description-missing', 'the catalogue has no such description')
  }
  writeFileAtomically(kept, bytes)
  return bytes
}

async function ask(url: URL, agent: Agent): Promise<{ statusCode: number; bytes: Buffer }> {
  const timeouts = { headersTimeout: ANSWER_MS, bodyTimeout: ANSWER_MS }
  const { statusCode, body } = await request(url, { dispatcher: agent, ...timeouts })
  return { statusCode, bytes: await readAtMost(body, MAX_DESCRIPTION_BYTES) }
}

async function sha256(bytes: Buffer): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)
  return Buffer.from(digest).toString('base64url')
}
