import type { Classification, KeepingRule } from './config.ts'

/** The rule for a service: the first that fits; undefined: everything is kept, forever. */
export function keepingRule(
  rules: readonly KeepingRule[],
  service: string | undefined,
  classification: Classification | undefined,
): KeepingRule | undefined {
  return rules.find((rule) => {
    if (rule.classification !== undefined && rule.classification !== classification) return false
    if (rule.service === undefined) return true
    return service !== undefined && isNamed(rule.service, service)
  })
}

/** @param pattern an identifier, or the beginning of one with `*` at its end. */
function isNamed(pattern: string, id: string): boolean {
  return pattern.endsWith('*') ? id.startsWith(pattern.slice(0, -1)) : id === pattern
}
