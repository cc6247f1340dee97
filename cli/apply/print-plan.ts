import { printLine } from '../output.ts'
import { isAsked } from './permission.ts'
import type { Plan } from './plan.ts'
import type { Step } from './step.ts'
import { certificateName, masked, nameOf, show } from './words.ts'

const SIGNS = { create: '+', change: '~', delete: '-' } as const
const COLOURS = { create: 32, change: 33, delete: 31 } as const

/** How the plan is told to people; coloured when `colour` says so. */
export function printPlan(plan: Plan, colour: boolean): void {
  let label = ''
  for (const step of plan.steps) {
    if (step.target.label !== label) {
      label = step.target.label
      printLine(`${label}:`)
    }
    printStep(step, colour)
  }
  for (const text of plan.planned) printLine(`  ${text}`)
  printLine(summaryOf(plan))
}

function printStep(step: Step, colour: boolean): void {
  const { verb, before, after, changed, notes, target, waitingFor } = step
  const print = (text: string): void => printColoured(text, colour ? COLOURS[verb] : undefined)
  const isRequest = isAsked(step, target.caller)
  const how = waitingFor
    ? ` (asked for, waits for approval: request ${waitingFor})`
    : isRequest
      ? ' (needs approval: it is asked for)'
      : ''
  print(`  ${SIGNS[verb]} ${nameOf(step)}${how}`)
  for (const field of changed) {
    if (verb === 'create') print(`      ${field}: ${show(field, after[field])}`)
    else if (field === 'certificates') printCertificates(before?.[field], after[field], print)
    else print(`      ${field}: ${show(field, before?.[field])} → ${show(field, after[field])}`)
  }
  for (const note of notes) print(`        ${note}`)
}

function printCertificates(before: unknown, after: unknown, print: (text: string) => void): void {
  const [old, now] = [before ?? [], after ?? []] as [string[], string[]]
  for (const pem of now)
    if (!old.includes(pem)) print(`      certificates: + ${certificateName(pem)}`)
  for (const pem of old)
    if (!now.includes(pem)) print(`      certificates: - ${certificateName(pem)}`)
}

function printColoured(text: string, code: number | undefined): void {
  if (code === undefined) return printLine(text)
  // What is between them is made safe first
  process.stdout.write(`\u001b[${code}m`)
  printLine(text)
  process.stdout.write('\u001b[0m')
}

export function summaryOf({ steps, unlisted, planned }: Plan): string {
  const count = (verb: Step['verb']): number =>
    steps.filter((step) => step.verb === verb && step.waitingFor === undefined).length
  const waiting = steps.filter(({ waitingFor }) => waitingFor !== undefined).length
  const parts = [
    `${count('create')} to create, ${count('change')} to change, ${count('delete')} to delete`,
    ...(waiting > 0 ? [`${waiting} wait for approval`] : []),
    ...(planned.length > 0 ? [`${planned.length} planned`] : []),
    ...(unlisted > 0 ? [`${unlisted} in no file, left alone (--prune deletes them)`] : []),
  ]
  return steps.length === 0
    ? ['nothing to change', ...parts.slice(1)].join('; ')
    : `plan: ${parts.join('; ')}`
}

/** For programs. */
export function planAsJson({ steps, planned, unlisted, unchanged }: Plan): object {
  return {
    steps: steps.map((step) => ({
      program: step.target.label,
      verb: step.verb,
      kind: step.section.word,
      id: masked(step.key),
      fields: step.changed.map((field) => ({
        field,
        old: show(field, step.before?.[field]),
        new: show(field, step.after[field]),
      })),
      notes: step.notes,
      ...(isAsked(step, step.target.caller) ? { needsApproval: true } : {}),
      ...(step.waitingFor === undefined ? {} : { request: step.waitingFor }),
    })),
    ...{ planned, unchanged, unlisted },
  }
}
