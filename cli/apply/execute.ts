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
  const { tell } = execution
  const todo = steps.filter(({ waitingFor }) => waitingFor === undefined)
  const watch = createWatch()
  const missing = steps.filter(({ waitingFor }) => waitingFor !== undefined)
  const failed: string[] = []
  const left: string[] = []
  let done = 0
  let isSettled = false
  for (const [i, step] of todo.entries()) {
    const name = nameOf(step)
    const parent = missing.find((other) => isBelow(step, other))
    if (parent !== undefined) {
      missing.push(step)
      left.push(`${name}: ${nameOf(parent)} is not there yet`)
      continue
    }
    try {
      if (!step.target.isCatalogue && !isSettled) {
        await execution.beforeGateways?.()
        isSettled = true
      }
      await watch.verifyUnchanged(step)
      const outcome = await carryOutStep(step, execution)
      await watch.note(step)
      if (outcome.kind === 'asked') missing.push(step)
      done++
      tell(`${i + 1}/${todo.length} ${wordsOf(step, outcome)}`)
    } catch (error) {
      if (error instanceof ApiError) {
        // It may have been done, and the answer lost: the next plan knows
        failed.push(`${name}: ${error.message}`)
        left.push(...todo.slice(i + 1).map(nameOf))
        throw new ApplyError(report(done, failed, left), { cause: error })
      }
      if (!(error instanceof ExchangeError || error instanceof ApplyError)) throw error
      missing.push(step)
      const code = error instanceof ExchangeError ? `refused (${error.code}): ` : ''
      const remedy = error instanceof ExchangeError ? `\n    ${errorEntry(error.code).remedy}` : ''
      const notes = step.notes.map((note) => `\n    ${note}`).join('')
      failed.push(`${name}: ${code}${error.message}${remedy}${notes}`)
      tell(`${i + 1}/${todo.length} not done: ${name}: ${code}${error.message}`)
    }
  }
  if (failed.length > 0) throw new ApplyError(report(done, failed, left))
  for (const text of left) tell(`not yet: ${text}; apply again when it is`)
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
  /** @throws ApplyError when somebody else has changed it since the plan was made. */
  verifyUnchanged(step: Step): Promise<void>
  /** After a change of our own. */
  note(step: Step): Promise<void>
}

/** Reads again what is about to be changed, when anything was. */
function createWatch(): Watch {
  const known = new Map<Section, { stamp: number; current: Map<string, Fields> }>()
  const stampOf = async ({ isCatalogue, api }: Target): Promise<number> =>
    isCatalogue
      ? (await api.call<{ snapshotNumber: number }>('GET', '/status')).snapshotNumber
      : performance.now()
  return {
    verifyUnchanged: async ({ target, section, key, before, after }) => {
      const stamp = await stampOf(target)
      const last = known.get(section)
      const isFresh =
        last !== undefined &&
        (target.isCatalogue ? last.stamp === stamp : stamp - last.stamp < FRESH_MS)
      const current = isFresh ? last.current : await section.read(target.api)
      if (!isFresh) known.set(section, { stamp, current })
      const now = current.get(key)
      if (isDeepStrictEqual(now, before) || isDeepStrictEqual(now, after)) return
      const names = [...new Set([...Object.keys(before ?? {}), ...Object.keys(now ?? {})])]
      const differing = names
        .filter((name) => !isDeepStrictEqual(before?.[name], now?.[name]))
        .map((name) => `${name}: ${show(name, before?.[name])} → ${show(name, now?.[name])}`)
      const what = now === undefined ? 'it is gone' : differing.join('; ')
      throw new ApplyError(`somebody else has changed it since the plan was made: ${what}`)
    },
    note: async ({ target, section }) => {
      const last = known.get(section)
      if (last !== undefined && target.isCatalogue) last.stamp = await stampOf(target)
    },
  }
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
