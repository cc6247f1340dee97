import { isDeepStrictEqual } from 'node:util'
import type { ApiClient } from '../../runtime/api-client.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { ApplyError } from './faults.ts'
import { isAsked, isWithin, refusalOf } from './permission.ts'
import { textOf, type Fields, type Section } from './section.ts'
import { compareService, type Planned } from './services-section.ts'
import type { Step, Target } from './step.ts'
import { nameOf } from './words.ts'
import type { WantedEntry, WantedSection } from './wanted.ts'

export interface Plan {
  readonly steps: readonly Step[]
  /** What waits for its time, in words. */
  readonly planned: readonly string[]
  readonly unchanged: number
  /** Entries that no file names, of sections that a file names. */
  readonly unlisted: number
}

export interface PlanOptions {
  readonly prune: boolean
  readonly documents: ReadonlyMap<string, object>
}

/**
 * Compares what is wanted with what there is; changes nothing.
 *
 * @throws ApplyError with everything that cannot be done, before anything was.
 */
export async function makePlan(targets: readonly Target[], options: PlanOptions): Promise<Plan> {
  const found = { steps: [] as Step[], planned: [] as string[], unchanged: 0, unlisted: 0 }
  const problems: string[] = []
  for (const target of targets) {
    for (const wanted of target.sections) {
      const current = await readSection(target, wanted.section, problems)
      if (current) compareSection({ target, wanted, current, options }, found, problems)
    }
  }
  const steps: Step[] = []
  const waiting = await readWaiting(found.steps)
  for (const step of found.steps) {
    const why = refusalOf(step, step.target.caller)
    if (why !== undefined) problems.push(`${nameOf(step)}: ${why}`)
    else steps.push(await lookCloser(step, waiting, options, problems))
  }
  if (problems.length > 0) throw new ApplyError(`nothing was changed:\n${problems.join('\n')}`)
  const puts = successorsFirst(steps.filter(isPut))
  return { ...found, steps: [...puts, ...steps.filter(isRemoval).toReversed()] }
}

const isRemoval = ({ verb }: Step): boolean => verb === 'delete'
const isPut = (step: Step): boolean => !isRemoval(step)

/** A service is deprecated when the one to use instead is there. */
function successorsFirst(steps: readonly Step[]): Step[] {
  const bySubject = new Map(
    steps.filter(({ section }) => section.name === 'services').map((step) => [step.key, step]),
  )
  const found = new Set<Step>()
  const visit = (step: Step, before: readonly Step[]): void => {
    const successor = bySubject.get(textOf(step.wanted.successor))
    if (successor && !before.includes(step)) visit(successor, [...before, step])
    found.add(step)
  }
  for (const step of steps) visit(step, [])
  return [...found]
}

async function readSection(
  { api }: Target,
  section: Section,
  problems: string[],
): Promise<Map<string, Fields> | undefined> {
  try {
    return await section.read(api)
  } catch (error) {
    if (!(error instanceof ExchangeError) || error.code !== 'admin.not-permitted') throw error
    problems.push(`${section.name}: ${error.message}`)
    return undefined
  }
}

function compareSection(
  of: {
    readonly target: Target
    readonly wanted: WantedSection
    readonly current: ReadonlyMap<string, Fields>
    readonly options: PlanOptions
  },
  found: {
    readonly steps: Step[]
    readonly planned: string[]
    unchanged: number
    unlisted: number
  },
  problems: string[],
): void {
  const { target, current, options } = of
  const { section, entries } = of.wanted
  for (const [key, entry] of entries) {
    const step = compareEntry({ target, section, key, entry }, current.get(key), options, found)
    if (step === undefined) {
      found.unchanged++
      continue
    }
    const missing = step.before ? [] : (section.needed ?? []).filter((f) => !(f in step.after))
    if (missing.length === 0) found.steps.push(step)
    else {
      const what = `${nameOf(step)} is new, and needs ${missing.join(', ')}`
      problems.push(`${entry.place()}: ${what}`)
    }
  }
  for (const [key, before] of current) {
    if (entries.has(key) || section.form === 'single') continue
    if (options.prune && isWithin(target.caller, key)) {
      const nothing = { after: {}, wanted: {}, changed: [], notes: [] }
      found.steps.push({ target, section, verb: 'delete', key, before, ...nothing })
    } else found.unlisted++
  }
}

function compareEntry(
  of: Pick<Step, 'target' | 'section' | 'key'> & { readonly entry: WantedEntry },
  current: Fields | undefined,
  { prune }: PlanOptions,
  found: { readonly planned: string[] },
): Step | undefined {
  const { section, key, entry, ...rest } = of
  const { planned, before } = current ? withoutPlan(current) : {}
  let after = merge(section, before, entry.fields, prune)
  if (planned && before && brings(planned, entry.fields, before)) {
    const { version, effectiveAt } = planned
    found.planned.push(`${section.word} ${key}: version ${version} is planned for ${effectiveAt}`)
    const { title, description, validation, version: own } = before
    after = withoutNothing({ ...after, title, description, validation, version: own })
  }
  const names = new Set([...Object.keys(before ?? {}), ...Object.keys(after)])
  const changed = [...names].filter((name) => !isDeepStrictEqual(before?.[name], after[name]))
  if (before !== undefined && changed.length === 0) return undefined
  const verb = before === undefined ? 'create' : 'change'
  const common = { ...rest, section, key, verb, before: current, after, changed } as const
  return { ...common, wanted: entry.fields, notes: [] }
}

const withoutPlan = ({ planned, ...before }: Fields) => ({
  planned: planned as Planned | undefined,
  before: before as Fields,
})

/** Whether the file says what will be in force, and not what is. */
function brings(planned: Planned, wanted: Fields, before: Fields): boolean {
  const { title, descriptionDigest, validation, version } = planned
  const coming: Fields = { title, description: descriptionDigest, validation, version }
  const told = Object.keys(coming).filter((name) => name in wanted)
  return (
    told.every((name) => (wanted[name] ?? undefined) === coming[name]) &&
    told.some((name) => coming[name] !== before[name])
  )
}

const withoutNothing = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

/** What the file leaves out stays as it is; what is null there goes. */
function merge(
  { keeps, additive = [], how = [] }: Section,
  before: Fields | undefined,
  wanted: Fields,
  prune: boolean,
): Fields {
  const after: Record<string, unknown> = keeps ? { ...before } : {}
  for (const [name, value] of Object.entries(wanted)) {
    if (how.includes(name)) continue
    if (value === null) delete after[name]
    else if (additive.includes(name) && !prune) {
      const known = (before?.[name] ?? []) as string[]
      after[name] = [...new Set([...known, ...(value as string[])])].toSorted()
    } else after[name] = value
  }
  return after
}

interface Waiting {
  readonly id: string
  readonly kind: string
  readonly subject: string
  readonly body: unknown
}

async function readWaiting(steps: readonly Step[]): Promise<Waiting[]> {
  const target = steps.find((step) => isAsked(step, step.target.caller))?.target
  if (target === undefined) return []
  const found: Waiting[] = []
  let after = 0
  for (;;) {
    const query = new URLSearchParams({ state: 'pending', after: String(after) }).toString()
    const page = await target.api.call<{ requests: Waiting[]; next: number }>(
      'GET',
      `/admin/requests?${query}`,
    )
    found.push(...page.requests)
    if (page.next === after) return found
    after = page.next
  }
}

/** Adds what only the catalogue knows: how it judges a description, and which request waits. */
async function lookCloser(
  step: Step,
  waiting: readonly Waiting[],
  { documents }: PlanOptions,
  problems: string[],
): Promise<Step> {
  const { section, key, target, after, wanted, changed } = step
  if (isAsked(step, target.caller)) {
    const body = section.body?.(after, (digest) => documents.get(digest))
    const same = waiting.find(
      ({ kind, subject, body: asked }) =>
        kind === section.asks?.kind && subject === key && isDeepStrictEqual(asked, plain(body)),
    )
    return same ? { ...step, waitingFor: same.id } : step
  }
  const isCompared = section.name === 'services' && target.isCatalogue && step.verb === 'change'
  if (!isCompared || !changed.includes('description')) return step
  const { api } = target
  const document = async (digest: string): Promise<object> =>
    documents.get(digest) ?? (await readDocument(api, digest))
  try {
    return { ...step, notes: await compareService({ api, key, after, wanted, document }) }
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error
    problems.push(`${nameOf(step)}: ${error.code}: ${error.message}`)
    return step
  }
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null))

export const readDocument = (api: ApiClient, digest: string): Promise<object> =>
  api.call<object>('GET', `/descriptions/${encodeURIComponent(digest)}`)
