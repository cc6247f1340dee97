import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { errorEntry, ExchangeError } from '../../protocol/errors.ts'
import { ApiError } from '../../runtime/api-client.ts'
import { ApplyError } from './faults.ts'
import { isAsked } from './permission.ts'
import { readDocument } from './plan.ts'
import type { Act, Fields, Outcome, Section } from './section.ts'
import type { Step, Target } from './step.ts'
import { nameOf, show } from './words.ts'

export interface Execution {
  readonly documents: ReadonlyMap<string, object>
  /** Told to whoever decides about what needs approval. */
  readonly reason: string
  readonly tell: (line: string) => void
  /** Called between the changes of the catalogue and the first of a gateway. */
  readonly beforeGateways?: () => Promise<void>
}

/** Sections whose entries others stand below, by their identifiers. */
const PARENTS = ['members', 'subsystems', 'services']
/** Changes of one of these sections under way together: the catalogue publishes them in one snapshot. */
const AT_ONCE = 8
const PAST = { create: 'created', change: 'changed', delete: 'deleted' } as const
const SETTLE_MS = 20_000
const LOOK_MS = 100
/** A gateway has no number that tells of changes: it is read again when what is known is as old. */
const FRESH_MS = 1000

/**
 * Carries out a plan, in its order. What one program refuses does not keep it from the rest, but for what stands
 * below it; a program that cannot be reached ends it.
 *
 * @throws ApplyError saying what was done and what was not; to do the rest, apply again.
 */
export async function carryOut(steps: readonly Step[], execution: Execution): Promise<void> {
  const todo = steps.filter(({ waitingFor }) => waitingFor === undefined)
  const missing = steps.filter(({ waitingFor }) => waitingFor !== undefined)
  const progress = createProgress(todo, missing, execution.tell)
  const watch = createWatch()
  let isSettled = false
  for (const batch of inBatches(todo)) {
    const ready = batch.filter(progress.isReady)
    const [first] = ready
    if (first === undefined) continue
    const settle =
      !first.target.isCatalogue && !isSettled ? execution.beforeGateways?.() : undefined
    const look = Promise.resolve(settle).then(() => watch.look(first))
    isSettled ||= !first.target.isCatalogue
    const endings = ready.map((step) =>
      endingOf(
        look.then((current) => {
          verifyUnchanged(step, current)
          return carryOutStep(step, execution)
        }),
      ),
    )
    for (const [i, step] of ready.entries()) progress.note(step, await endings[i]!)
    progress.verifyReached()
  }
  progress.finish()
}

type Ending =
  { readonly outcome: Outcome } | { readonly outcome?: undefined; readonly error: unknown }

const endingOf = (work: Promise<Outcome>): Promise<Ending> =>
  work.then(
    (outcome) => ({ outcome }),
    (error: unknown) => ({ error }),
  )

/** Steps that need not wait for each other, together. */
function inBatches(steps: readonly Step[]): Step[][] {
  const batches: Step[][] = []
  for (const step of steps) {
    const last = batches.at(-1)
    if (last && last.length < AT_ONCE && last.every((one) => isBeside(step, one))) last.push(step)
    else batches.push([step])
  }
  return batches
}

const isBeside = (step: Step, other: Step): boolean =>
  PARENTS.includes(step.section.name) &&
  step.section === other.section &&
  step.target.isCatalogue &&
  step.verb !== 'delete' &&
  other.verb !== 'delete' &&
  step.wanted.successor !== other.key

interface Progress {
  /** False for what stands below something that is not there. */
  readonly isReady: (step: Step) => boolean
  readonly note: (step: Step, ending: Ending) => void
  /** @throws ApplyError when a program could not be reached. */
  readonly verifyReached: () => void
  /** @throws ApplyError when something failed. */
  readonly finish: () => void
}

function createProgress(todo: readonly Step[], missing: Step[], tell: Execution['tell']): Progress {
  const open = new Set(todo)
  const failed: string[] = []
  const left: string[] = []
  let done = 0
  let unreached: ApiError | undefined
  const close = (step: Step): string => {
    open.delete(step)
    return `${todo.length - open.size}/${todo.length}`
  }
  return {
    isReady: (step) => {
      const parent = missing.find((other) => isBelow(step, other))
      if (parent === undefined) return true
      close(step)
      missing.push(step)
      left.push(`${nameOf(step)}: ${nameOf(parent)} is not there yet`)
      return false
    },
    note: (step, ending) => {
      if (ending.outcome !== undefined) {
        if (ending.outcome.kind === 'asked') missing.push(step)
        done++
        tell(`${close(step)} ${wordsOf(step, ending.outcome)}`)
        return
      }
      const { error } = ending
      if (error instanceof ApiError) {
        unreached ??= error
        return
      }
      if (!(error instanceof ExchangeError || error instanceof ApplyError)) throw error
      missing.push(step)
      const name = nameOf(step)
      const code = error instanceof ExchangeError ? `refused (${error.code}): ` : ''
      const remedy = error instanceof ExchangeError ? `\n    ${errorEntry(error.code).remedy}` : ''
      const notes = step.notes.map((note) => `\n    ${note}`).join('')
      failed.push(`${name}: ${code}${error.message}${remedy}${notes}`)
      tell(`${close(step)} not done: ${name}: ${code}${error.message}`)
    },
    verifyReached: () => {
      if (unreached === undefined) return
      // It may have been done, and the answer lost: the next plan knows
      const [first, ...others] = [...open].map(nameOf)
      failed.push(`${first}: ${unreached.message}`)
      left.push(...others)
      throw new ApplyError(report(done, failed, left), { cause: unreached })
    },
    finish: () => {
      if (failed.length > 0) throw new ApplyError(report(done, failed, left))
      for (const text of left) tell(`not yet: ${text}; apply again when it is`)
    },
  }
}

function report(done: number, failed: readonly string[], left: readonly string[]): string {
  const part = (title: string, lines: readonly string[]): string =>
    lines.length === 0 ? '' : `\n${title}:\n${lines.map((line) => `  ${line}`).join('\n')}`
  const rest = part('failed', failed) + part('not done', left)
  return `${done} of the changes were made, others were not; apply again to go on${rest}`
}

const wordsOf = (step: Step, outcome: Outcome): string => {
  const name = nameOf(step)
  if (outcome.kind === 'asked') {
    return `${name}: asked for, waits for approval (request ${outcome.id})`
  }
  return outcome.kind === 'planned' ? `${name}: ${outcome.text}` : `${PAST[step.verb]} ${name}`
}

const isBelow = (step: Step, parent: Step): boolean =>
  PARENTS.includes(parent.section.name) &&
  parent.verb === 'create' &&
  (step.key.startsWith(`${parent.key}/`) ||
    (step.key === parent.key && step.section !== parent.section))

async function carryOutStep(step: Step, execution: Execution): Promise<Outcome> {
  const { section, target, key, before, after, wanted, changed } = step
  const { api } = target
  if (step.verb === 'delete') {
    await section.remove(api, key, before ?? {})
    return { kind: 'done' }
  }
  const put: Act['put'] = async (kind, path, body) => {
    if (isAsked(step, target.caller)) {
      const { reason } = execution
      const asked = { kind, id: key, body, reason }
      const { id } = await api.call<{ id: string }>('POST', '/admin/requests', asked)
      return { kind: 'asked', id }
    }
    const { planned } = await api.call<{ planned?: { version: string; effectiveAt: string } }>(
      'PUT',
      path,
      body,
    )
    if (planned === undefined) return { kind: 'done' }
    const { version, effectiveAt } = planned
    return { kind: 'planned', text: `version ${version} is planned for ${effectiveAt}` }
  }
  const document = async (digest: string): Promise<object> =>
    execution.documents.get(digest) ?? (await readDocument(api, digest))
  return await section.put({ api, key, before, after, wanted, changed, put, document })
}

interface Watch {
  /** What there is in a step's section at this moment. */
  look(step: Step): Promise<Map<string, Fields>>
}

/** Reads a section again when somebody else has changed anything since it was read. */
function createWatch(): Watch {
  const known = new Map<Section, { stamp: number; current: Map<string, Fields> }>()
  const stampOf = async ({ isCatalogue, api }: Target): Promise<number> =>
    isCatalogue
      ? (await api.call<{ lastChange: number }>('GET', '/admin/status')).lastChange
      : performance.now()
  /** Our own changes are what the plan says. */
  const isFresh = ({ ours, isCatalogue }: Target, from: number, to: number): boolean => {
    if (!isCatalogue) return to - from < FRESH_MS
    for (let position = from + 1; position <= to; position++) {
      if (ours?.has(position) !== true) return false
    }
    return true
  }
  return {
    look: async ({ target, section }) => {
      const stamp = await stampOf(target)
      const last = known.get(section)
      const fresh = last !== undefined && isFresh(target, last.stamp, stamp)
      const current = fresh ? last.current : await section.read(target.api)
      // Of a gateway by when it was read
      known.set(section, { stamp: fresh && !target.isCatalogue ? last.stamp : stamp, current })
      return current
    },
  }
}

/** @throws ApplyError when somebody else has changed it since the plan was made. */
function verifyUnchanged({ key, before, after }: Step, current: ReadonlyMap<string, Fields>): void {
  const now = current.get(key)
  if (isDeepStrictEqual(now, before) || isDeepStrictEqual(now, after)) return
  const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(now ?? {})])]
  const differing = names
    .filter((name) => !isDeepStrictEqual(before?.[name], now?.[name]))
    .map((name) => `${name}: ${show(name, before?.[name])} → ${show(name, now?.[name])}`)
  const what = now === undefined ? 'it is gone' : differing.join('; ')
  throw new ApplyError(`somebody else has changed it since the plan was made: ${what}`)
}

/** Resolves when a gateway works by the catalogue's snapshot, or has no more time for it. */
export async function waitForSnapshot({ api }: Target, number: number): Promise<void> {
  const until = performance.now() + SETTLE_MS
  while (performance.now() < until) {
    const { snapshot } = await api.call<{ snapshot?: { number: number } }>('GET', '/admin/status')
    if ((snapshot?.number ?? 0) >= number) return
    await delay(LOOK_MS)
  }
}
