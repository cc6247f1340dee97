import { printLine, printRecord } from '../output.ts'
import type { Explanation, LinkFacts, RevocationFacts } from './explanation.ts'

/** For people: facts, then chain and revocation state, and last what is wrong and what to do. */
export function printExplanation(explanation: Explanation): void {
  const { input, what, good, facts, chain = [], revocation = [], findings, unknown } = explanation
  printLine(`${input}: ${what}: ${good ? 'good' : 'something is wrong'}`)
  printRecord(facts)
  if (chain.length > 0) printLine('\nchain')
  chain.forEach((link, depth) => printLine(`  ${depth + 1}. ${linkText(link)}`))
  if (revocation.length > 0) printLine('\nrevocation')
  for (const fact of revocation) printLine(`  ${revocationText(fact)}`)
  for (const severity of ['wrong', 'attention'] as const) {
    const chosen = findings.filter((finding) => finding.severity === severity)
    if (chosen.length > 0) printLine(`\n${severity}`)
    for (const finding of chosen) {
      printLine(`  ${finding.what}`)
      printLine(`    ${finding.remedy}`)
    }
  }
  if (unknown.length > 0) printLine('\nnot known')
  for (const text of unknown) printLine(`  ${text}`)
}

function linkText({ subject, from, notAfter, checks }: LinkFacts): string {
  const faults = Object.entries(checks).flatMap(([check, fault]) =>
    fault === null ? [] : `${check}: ${fault}`,
  )
  const state = faults.length === 0 ? `${Object.keys(checks).join(', ')} good` : faults.join('; ')
  return `${subject} (${from}, until ${notAfter}): ${state}`
}

function revocationText(fact: RevocationFacts): string {
  const { subject, by, url, status, revokedAt, reason, nextUpdate, age, fault } = fact
  const source = url === undefined ? by : `${by} ${url}`
  if (status === 'unknown') return `${subject}: unknown, by ${source}: ${fault}`
  const since = revokedAt === undefined ? '' : ` at ${revokedAt} (${reason ?? 'unspecified'})`
  return `${subject}: ${status}${since}, by ${source}; ${age} old, holds until ${nextUpdate}`
}
