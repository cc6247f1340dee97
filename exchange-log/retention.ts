import { setTimeout as pause } from 'node:timers/promises'
import type { Clock } from '../runtime/clock.ts'
import type { Logger } from '../runtime/logger.ts'
import type { Classification, KeepingRule } from './config.ts'
import type { Erasure } from './erasure.ts'
import { holdOn } from './holds.ts'
import { keepingRule } from './keeping.ts'
import type { ContentOwner, ExchangeLogStore } from './store.ts'

/** What one rule would erase now. */
export interface RetentionPreview {
  readonly rule: KeepingRule
  readonly due: number
  /** Of those that are due: kept by a legal hold. */
  readonly held: number
}

/** Erases content older than its rule allows, beside the traffic: in small batches, one event for each. */
export interface Retention extends AsyncDisposable {
  /** A run now; resolves with how many records lost their content. */
  runNow(): Promise<number>
  preview(): Promise<RetentionPreview[]>
  readonly lastRunAt: Date | undefined
  /** Why the last run did not come to its end; undefined when it did. */
  readonly fault: string | undefined
}

export interface RetentionOptions {
  readonly store: Pick<ExchangeLogStore, 'contents'>
  readonly erasure: Pick<Erasure, 'eraseContents' | 'finish' | 'holds'>
  readonly rules: readonly KeepingRule[]
  readonly classificationOf: (service: string) => Classification | undefined
  /** @throws when the clock cannot be believed: nothing is erased by it then. */
  readonly verifyClock: () => void
  readonly clock: Clock
  readonly logger: Logger
}

const INTERVAL_MS = 3_600_000
const BATCH = 500
const PAGE = 1000
const PAUSE_MS = 20
const DAY_MS = 86_400_000

export function startRetention(options: RetentionOptions): Retention {
  const { erasure, clock, logger, verifyClock } = options
  const closing = new AbortController()
  const { signal } = closing
  let lastRunAt: Date | undefined
  let fault: string | undefined
  let timer: NodeJS.Timeout | undefined
  let running: Promise<number> | undefined

  const round = async (): Promise<number> => {
    let erased = 0
    try {
      await erasure.finish()
      verifyClock()
      erased = await eraseDue(options, signal)
      fault = undefined
      lastRunAt = clock()
    } catch (error) {
      if (signal.aborted) return erased
      fault = String(error)
      logger.error({ err: error }, 'what is to be erased from the exchange log is not erased')
    }
    if (erased > 0) logger.info({ records: erased }, 'content of old records was erased')
    return erased
  }
  const run = (): Promise<number> => {
    clearTimeout(timer)
    running ??= round().finally(() => {
      running = undefined
      if (!signal.aborted) timer = setTimeout(() => void run(), INTERVAL_MS).unref()
    })
    return running
  }
  void run()
  return {
    runNow: async () => {
      await running
      return run()
    },
    preview: () => preview(options),
    get lastRunAt() {
      return lastRunAt
    },
    get fault() {
      return fault
    },
    [Symbol.asyncDispose]: async () => {
      closing.abort()
      clearTimeout(timer)
      await running
    },
  }
}

async function eraseDue(options: RetentionOptions, signal: AbortSignal): Promise<number> {
  let erased = 0
  for await (const { rule, owners } of dueBatches(options)) {
    if (signal.aborted) break
    const reason = `retention: ${nameOf(rule)}`
    const gone = await options.erasure.eraseContents(owners, { actor: 'retention', reason })
    erased += gone.length
    await pause(PAUSE_MS, undefined, { signal })
  }
  return erased
}

async function preview(options: RetentionOptions): Promise<RetentionPreview[]> {
  const found = new Map<KeepingRule, { due: number; held: number }>()
  const holds = await options.erasure.holds()
  for (const rule of options.rules) {
    if (rule.days !== undefined) found.set(rule, { due: 0, held: 0 })
  }
  for await (const { rule, owners } of dueBatches(options)) {
    const sum = found.get(rule)!
    sum.due += owners.length
    sum.held += owners.filter((owner) => holdOn(owner, holds) !== undefined).length
  }
  return [...found].map(([rule, sum]) => ({ rule, ...sum }))
}

interface Batch {
  readonly rule: KeepingRule
  readonly owners: readonly ContentOwner[]
}

/** What is due, oldest first; each batch under one rule. */
async function* dueBatches(options: RetentionOptions): AsyncGenerator<Batch> {
  const { store, rules, classificationOf, clock } = options
  const days = rules.flatMap((rule) => rule.days ?? [])
  if (days.length === 0) return
  const now = clock().getTime()
  // Positions follow time but for exchanges that take long: a day behind the youngest that may be due is enough.
  const end = now - (Math.min(...days) - 1) * DAY_MS
  const collected = new Map<KeepingRule, ContentOwner[]>()
  for (let after = 0; ;) {
    const page = await store.contents({ after, limit: PAGE })
    for (const owner of page) {
      const { service } = owner
      const classification = service === undefined ? undefined : classificationOf(service)
      const rule = keepingRule(rules, service, classification)
      if (rule?.days === undefined || owner.at.getTime() >= now - rule.days * DAY_MS) continue
      const owners = collected.get(rule) ?? []
      owners.push(owner)
      collected.set(rule, owners)
      if (owners.length < BATCH) continue
      collected.delete(rule)
      yield { rule, owners }
    }
    if (page.length < PAGE || page.every(({ at }) => at.getTime() > end)) break
    after = page.at(-1)!.position
  }
  for (const [rule, owners] of collected) yield { rule, owners }
}

function nameOf({ service, classification, days }: KeepingRule): string {
  const what = [...(service ? [service] : []), ...(classification ? [classification] : [])]
  return `${what.join(' ') || 'everything'}, ${days} days`
}
