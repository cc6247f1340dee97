import { describe, expect, it } from 'vitest'
import { matchesEntityTag, readWaitMs } from '../../service-catalogue/request-preferences.ts'

describe('readWaitMs', () => {
  it.each([
    ['wait=10', 10_000],
    ['respond-async, wait=10', 10_000],
    ['Wait = "5"; x=1', 5000],
    ['wait=61', 60_000],
    ['wait=999999999', 60_000],
    ['wait=0', 0],
    ['wait=1, wait=50', 1000],
    ['wait', undefined],
    ['wait=-1', undefined],
    ['wait=1e3', undefined],
    ['waiting=10', undefined],
    ['', undefined],
  ])('reads %j as %j', (prefer, waitMs) => {
    expect(readWaitMs({ prefer })).toBe(waitMs)
  })

  it('reads nothing where there is no preference', () => {
    expect(readWaitMs({})).toBeUndefined()
  })
})

describe('matchesEntityTag', () => {
  it.each([
    ['"1-a"', true],
    ['W/"1-a"', true],
    ['"x", "1-a"', true],
    ['*', true],
    ['1-a', false],
    ['"1-A"', false],
    ['', false],
  ])('compares %j: %j', (given, matches) => {
    expect(matchesEntityTag({ 'if-none-match': given }, '"1-a"')).toBe(matches)
  })
})
