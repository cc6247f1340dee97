import { setTimeout as delay } from 'node:timers/promises'
import { Agent, request, type Dispatcher } from 'undici'
import { CONTRACT_MEDIA_TYPE } from '../../protocol/contract-jws.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import type { Anchor } from '../../protocol/snapshot.ts'
import { readAtMost } from '../../runtime/http-body.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { OwnTls } from '../credentials/tls.ts'
import type { ContractIntake } from './intake.ts'
import type { ContractStore } from './store.ts'

/** Hands in what is ours and follows what is the others' (protocol/README.md §13.4). */
export interface ContractFeed extends AsyncDisposable {
  /** There is something to hand in. */
  hurry(): void
  /** Asks at once for what is new; resolves when that is taken in, or cannot be had now. */
  catchUp(): Promise<void>
  /** What is wrong between us and the catalogue. */
  readonly fault: string | undefined
}

const ANSWER_MS = 10_000
const MAX_ANSWER_BYTES = 64 * 1024 * 1024
/** Between two questions that were answered at once, and after a failure. */
const PAUSE_MS = 100
const FAILED_MS = 1000

export function startContractFeed(deps: {
  readonly store: ContractStore
  readonly intake: ContractIntake
  readonly anchor: Pick<Anchor, 'catalogueUrl' | 'rootCertificates'>
  /** What this gateway shows now. */
  readonly tls: () => OwnTls
  /** Members that it speaks for; the feed is theirs. */
  readonly members: () => string
  /** Headers by which the catalogue learns how far this gateway is (§7.10). */
  readonly told: () => Readonly<Record<string, string>>
  readonly waitSeconds: number
  /** Before each question: what is held may have changed. */
  readonly onTaken: () => Promise<void>
  readonly logger: Logger
}): ContractFeed {
  const { store, intake, anchor, members, waitSeconds, onTaken, logger } = deps
  const stop = new AbortController()
  const waiting = new Set<() => void>()
  /** Those of them whom the answer to come is for. */
  let awaiting: readonly (() => void)[] = []
  let held: AbortController | undefined
  let fault: string | undefined
  let shown: { thumbprint: string; ca: readonly string[]; agent: Agent } | undefined

  // Connections are closed with the certificate and the roots that they were made with.
  const agentOf = ({ thumbprint, cert, key }: OwnTls): Agent => {
    const ca = anchor.rootCertificates
    if (shown?.thumbprint === thumbprint && shown.ca === ca) return shown.agent
    void shown?.agent.close()
    shown = { thumbprint, ca, agent: new Agent({ connect: { ca, cert, key, timeout: ANSWER_MS } }) }
    return shown.agent
  }
  const call = async (
    path: string,
    options: Partial<Dispatcher.RequestOptions> & { readonly waitMs?: number },
  ): Promise<{ statusCode: number; value: unknown }> => {
    const { waitMs = 0, signal, ...rest } = options
    const { statusCode, body } = await request(new URL(path, anchor.catalogueUrl), {
      method: 'GET',
      ...rest,
      headers: { ...deps.told(), ...(rest.headers as Record<string, string> | undefined) },
      dispatcher: agentOf(deps.tls()),
      headersTimeout: ANSWER_MS + waitMs,
      bodyTimeout: ANSWER_MS,
      signal: AbortSignal.any([stop.signal, ...(signal ? [signal as AbortSignal] : [])]),
    })
    const bytes = await readAtMost(body, MAX_ANSWER_BYTES)
    return { statusCode, value: parse(bytes) }
  }

  const handIn = async (): Promise<void> => {
    for (const { digest, jws } of store.unsent()) {
      const headers = { 'content-type': CONTRACT_MEDIA_TYPE }
      const { statusCode, value } = await call('/contracts', {
        method: 'POST',
        headers,
        body: jws,
      })
      if (statusCode === 200 || statusCode === 201) {
        store.noteSent(digest)
        continue
      }
      const { code, detail } = (value ?? {}) as { code?: string; detail?: string }
      // Another code may pass: a certificate that is listed in a moment, a catalogue that is behind.
      if (code !== 'contract.malformed' && code !== 'contract.conflict') {
        throw unavailable(`the catalogue answered ${statusCode} ${code ?? ''} ${detail ?? ''}`)
      }
      store.noteSent(digest, `${code}: ${detail ?? ''}`)
      logger.warn({ contract: digest, code, detail }, 'the catalogue refused a contract document')
    }
  }
  /** @returns false when something else comes first. */
  const fetchNew = async (question: AbortController): Promise<boolean> => {
    const own = members()
    const after = store.cursor(own)
    // What could not be verified is tried again soon: a snapshot with its signer may be on its way.
    const longestS = store.pending().length > 0 ? 1 : waitSeconds
    awaiting = [...waiting]
    const waitS = awaiting.length > 0 ? 0 : longestS
    if (waitS > 0) held = question
    if (store.unsent().length > 0) return false // made since they were handed in
    const { statusCode, value } = await call(`/contracts?after=${after}`, {
      headers: waitS === 0 ? {} : { prefer: `wait=${waitS}` },
      signal: question.signal,
      waitMs: waitS * 1000,
    })
    held = undefined
    if (statusCode !== 200) throw unavailable(`the catalogue answered ${statusCode}`)
    const { documents, next } = readPage(value)
    await intake.retry()
    for (const jws of documents) await intake.take(jws)
    if (next < after) {
      logger.warn({ after, next }, 'the catalogue has lost contracts: ours are handed in again')
      store.sendAgain()
      store.setCursor(own, 0)
    } else store.setCursor(own, next)
    return true
  }

  const follow = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const question = new AbortController()
      let pauseMs = PAUSE_MS
      let isAnswered = true
      try {
        await onTaken()
        await handIn()
        isAnswered = await fetchNew(question)
        fault = undefined
      } catch (error) {
        if (stop.signal.aborted) return
        if (question.signal.aborted) {
          isAnswered = false
          continue // there is something to hand in, or somebody waits
        }
        const text = error instanceof Error ? error.message : String(error)
        if (text !== fault) logger.warn({ err: error }, 'contracts cannot be followed')
        fault = text
        pauseMs = FAILED_MS
        awaiting = [...waiting]
      } finally {
        held = undefined
        for (const done of isAnswered ? awaiting : []) {
          waiting.delete(done)
          done()
        }
      }
      await delay(pauseMs, undefined, { signal: stop.signal }).catch(() => undefined)
    }
  }
  const following = follow()
  return {
    hurry: () => held?.abort(),
    catchUp: () => {
      const { promise, resolve } = Promise.withResolvers<void>()
      waiting.add(resolve)
      held?.abort()
      return promise
    },
    get fault() {
      return fault
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      await following
      for (const done of waiting) done()
      await shown?.agent.destroy()
    },
  }
}

function readPage(value: unknown): { documents: string[]; next: number } {
  const { documents, next } = (value ?? {}) as { documents?: unknown; next?: unknown }
  const list = Array.isArray(documents) ? (documents as { jws?: unknown }[]) : undefined
  const texts = list?.map((document) => document?.jws)
  if (!texts?.every((jws) => typeof jws === 'string') || !Number.isSafeInteger(next)) {
    throw unavailable('the catalogue answered with no list of contracts')
  }
  return { documents: texts, next: Number(next) }
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

const unavailable = (detail: string): ExchangeError =>
  new ExchangeError('catalogue.unavailable', detail)
