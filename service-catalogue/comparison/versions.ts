import type { ChangeLevel } from './difference.ts'

export const VERSION_PATTERN = '^(0|[1-9]\\d{0,8})\\.(0|[1-9]\\d{0,8})\\.(0|[1-9]\\d{0,8})$'
export const FIRST_VERSION = '1.0.0'

const partsOf = (version: string): number[] => version.split('.').map(Number)

/** Positive when `a` is the higher. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)]
  return left.map((part, i) => part - (right[i] ?? 0)).find((gap) => gap !== 0) ?? 0
}

/** The lowest version that a change of this level may have; no change needs none. */
export function lowestVersion(before: string, level: ChangeLevel | undefined): string {
  const [major = 0, minor = 0, patch = 0] = partsOf(before)
  switch (level) {
    case 'breaking':
      return `${major + 1}.0.0`
    case 'compatible':
      return `${major}.${minor + 1}.0`
    case 'editorial':
      return `${major}.${minor}.${patch + 1}`
    case undefined:
      return before
  }
}
