import { expect, it } from 'vitest'
import { bytesText, countText } from '../../runtime/count-text.ts'

it('counts in the singular and in the plural', () => {
  expect([0, 1, 2].map((count) => countText(count, 'root'))).toEqual([
    '0 roots',
    '1 root',
    '2 roots',
  ])
  expect([1, 2].map((count) => countText(count, 'leaf', 'leaves'))).toEqual(['1 leaf', '2 leaves'])
})

it('says kilobytes of what is small', () => {
  expect([0, 1500, 999_900, 1_000_000, 20_000_000].map(bytesText)).toEqual([
    ...['0.0 KB', '1.5 KB', '999.9 KB', '1.0 MB', '20.0 MB'],
  ])
})
