import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import {
  FAMILY_NAMES,
  FEMALE_NAMES,
  MALE_NAMES,
  type NamePair,
} from '../../examples/sandbox/data/people-names.ts'
import { writePeopleCsv } from '../../examples/sandbox/people.ts'

const folder = mkdtempSync(join(tmpdir(), 'people-'))
afterAll(() => rmSync(folder, { recursive: true }))

function people(seed: number, count: number): string {
  const file = join(folder, `${seed}-${count}.csv`)
  writePeopleCsv(file, { seed, count })
  return readFileSync(file, 'utf8')
}
function rows(text: string): string[][] {
  return text
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((line) => line.split(','))
}
function isLuhn(id: string): boolean {
  const sum = id
    .split('')
    .toReversed()
    .map((digit, place) => Number(digit) * (place % 2 === 1 ? 2 : 1))
    .reduce((total, value) => total + (value > 9 ? value - 9 : value), 0)
  return sum % 10 === 0
}

describe('people', () => {
  it('are the same bytes for the same seed, and others for another', () => {
    expect(people(1, 500)).toBe(people(1, 500))
    expect(people(1, 500)).not.toBe(people(2, 500))
    expect(people(1, 3)).toBe(people(1, 500).split('\n').slice(0, 4).join('\n').concat('\n'))
  })

  it('are as many as asked for, under a header', () => {
    const text = people(3, 0)
    expect(text).toBe(
      'person_id,family_name_km,given_name_km,family_name_latin,given_name_latin,sex,birth_date,province_code\n',
    )
    expect(rows(people(3, 1234))).toHaveLength(1234)
  })

  it('have ids of nine digits that are unique and carry a check digit', () => {
    const ids = rows(people(4, 50_000)).map(([id]) => id!)
    expect(new Set(ids).size).toBe(50_000)
    expect(ids.filter((id) => !/^[1-9]\d{8}$/.test(id) || !isLuhn(id))).toEqual([])
  })

  it('have names of their sex, in both scripts, days that exist, and provinces that exist', () => {
    const has = (names: readonly NamePair[], km?: string, latin?: string): boolean =>
      names.some(([k, l]) => k === km && l === latin)
    const provinces = new Set(
      rows(readFileSync('examples/sandbox/data/provinces.csv', 'utf8')).map(([code]) => code),
    )
    const all = rows(people(5, 2000))
    for (const [, familyKm, givenKm, family, given, sex, born, province] of all) {
      expect(has(FAMILY_NAMES, familyKm, family)).toBe(true)
      expect(has(sex === 'F' ? FEMALE_NAMES : MALE_NAMES, givenKm, given)).toBe(true)
      expect(new Date(`${born}T00:00:00Z`).toISOString().slice(0, 10)).toBe(born)
      expect(provinces).toContain(province)
    }
    expect(new Set(all.map(([, , , , , sex]) => sex))).toEqual(new Set(['F', 'M']))
    expect(new Set(all.map((row) => row[7])).size).toBe(25)
  })

  it.each([
    ['family', FAMILY_NAMES],
    ['male', MALE_NAMES],
    ['female', FEMALE_NAMES],
  ])('have at least 30 %s names, each in Khmer (NFC) and Latin letters', (_, names) => {
    expect(names.length).toBeGreaterThanOrEqual(30)
    expect(new Set(names.map(([km]) => km)).size).toBe(names.length)
    for (const [km, latin] of names) {
      expect(km).toMatch(/^\p{Script=Khmer}+$/u)
      expect(km).toBe(km.normalize('NFC'))
      expect(latin).toMatch(/^[A-Z][a-z]+$/)
    }
  })
})

describe('the provinces', () => {
  it('are the 25 of Cambodia, of which one is the capital', () => {
    const provinces = rows(readFileSync('examples/sandbox/data/provinces.csv', 'utf8'))
    const codes = Array.from({ length: 25 }, (_, index) => `${index + 1}`.padStart(2, '0'))
    expect(provinces.map(([code]) => code)).toEqual(codes)
    const capitals = provinces.filter((row) => row[3] === 'Capital')
    expect(capitals).toEqual([['12', 'ភ្នំពេញ', 'Phnom Penh', 'Capital', 'រាជធានី']])
  })
})
