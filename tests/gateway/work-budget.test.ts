import { expect, it } from 'vitest'
import { createWorkBudget } from '../../gateway/trust/work-budget.ts'

it('gives each name its pieces, and as many anew in each minute', () => {
  let nowMs = 0
  const budget = createWorkBudget(3, () => nowMs)
  const given = (name: string): number => {
    let count = 0
    while (count < 100 && budget.spend(name)) count += 1
    return count
  }
  expect(given('one')).toBe(3)
  expect(given('two')).toBe(3)
  nowMs += 20_000
  expect(given('one')).toBe(1)
  nowMs += 3_600_000
  expect(given('one')).toBe(3)
  expect(given('two')).toBe(3)
})
