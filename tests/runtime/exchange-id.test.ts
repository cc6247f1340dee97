import fc from 'fast-check'
import { expect, it } from 'vitest'
import { newExchangeId } from '../../runtime/exchange-id.ts'

const time = fc.date({ min: new Date(0), max: new Date(2 ** 48 - 1), noInvalidDate: true })

it('makes UUIDs of version 7 and the variant of RFC 9562', () => {
  fc.assert(
    fc.property(time, (now) => {
      expect(newExchangeId(now)).toMatch(
        /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      )
    }),
  )
})

it('begins with the time in milliseconds, so that ids sort as they were made', () => {
  fc.assert(
    fc.property(time, time, (a, b) => {
      const [first, second] = [newExchangeId(a), newExchangeId(b)]
      expect(parseInt(first.replaceAll('-', '').slice(0, 12), 16)).toBe(a.getTime())
      if (a.getTime() !== b.getTime()) expect(first < second).toBe(a < b)
    }),
  )
})

it('makes no id twice in one millisecond', () => {
  const now = new Date('2026-03-02T00:00:00Z')
  const ids = Array.from({ length: 10_000 }, () => newExchangeId(now))
  expect(new Set(ids).size).toBe(ids.length)
})
