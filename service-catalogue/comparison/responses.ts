import { isSame, objectOf } from './difference.ts'
import { compareContents, compareSchemaOf } from './contents.ts'
import { child, type Findings, type Place } from './findings.ts'

interface Pair {
  readonly before: Place
  readonly after: Place
}

/** Status codes of an operation's answers, and what they carry. */
export function compareResponses(pair: Pair, operation: string, findings: Findings): void {
  const [old, now] = [objectOf(pair.before.value), objectOf(pair.after.value)]
  for (const status of Object.keys(old)) {
    if (status.startsWith('x-')) continue
    const before = findings.resolveOld(child(pair.before, status))
    const of = `answers ${status} of ${operation}`
    if (status in now) {
      const after = findings.resolveNew(child(pair.after, status))
      compareResponse({ before, after }, of, findings)
    } else {
      findings.add(isFailure(status) ? 'compatible' : 'breaking', before, `${of} are taken out`)
    }
  }
  for (const status of Object.keys(now)) {
    if (status.startsWith('x-') || status in old) continue
    // Who knows the whole range or the default has a branch for it
    const isKnown = `${status[0]}XX` in old || 'default' in old || isFailure(status)
    const place = child(pair.after, status)
    findings.add(
      isKnown ? 'compatible' : 'breaking',
      place,
      `answers ${status} of ${operation} are new`,
    )
  }
}

const isFailure = (status: string): boolean => /^[45]/.test(status) || status === 'default'

function compareResponse({ before, after }: Pair, of: string, findings: Findings): void {
  compareContents({ before, after }, 'answer', of, findings)
  const [old, now] = [child(before, 'headers'), child(after, 'headers')]
  const named = (place: Place): Map<string, string> =>
    new Map(Object.keys(objectOf(place.value)).map((name) => [name.toLowerCase(), name]))
  const [oldNames, newNames] = [named(old), named(now)]
  for (const [key, name] of oldNames) {
    const other = newNames.get(key)
    if (other === undefined) {
      findings.add('breaking', child(old, name), `header ${name} of ${of} is taken out`)
    } else {
      const header = {
        before: findings.resolveOld(child(old, name)),
        after: findings.resolveNew(child(now, other)),
      }
      if (isRequired(header.before) && !isRequired(header.after)) {
        findings.add('breaking', header.after, `header ${name} of ${of} may be missing now`)
      }
      compareSchemaOf(header, 'answer', findings)
    }
  }
  for (const [key, name] of newNames) {
    if (!oldNames.has(key))
      findings.add('compatible', child(now, name), `header ${name} of ${of} is new`)
  }
  const [oldText, newText] = [before, after].map(({ value }) => objectOf(value).description ?? '')
  if (isSame(oldText, newText)) return
  findings.add('editorial', child(after, 'description'), `the text of ${of} is another`)
}

const isRequired = ({ value }: Place): boolean => objectOf(value).required === true
