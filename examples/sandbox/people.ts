import { writeFileAtomically } from '../../runtime/private-file.ts'
import { FAMILY_NAMES, FEMALE_NAMES, MALE_NAMES, type NamePair } from './data/people-names.ts'

const HEADER = [
  'person_id',
  'family_name_km',
  'given_name_km',
  'family_name_latin',
  'given_name_latin',
  'sex',
  'birth_date',
  'province_code',
]
const PROVINCES = 25
const FIRST_BIRTH_MS = Date.UTC(1940, 0, 1)
const LAST_BIRTH_MS = Date.UTC(2024, 11, 31)
const DAY_MS = 86_400_000

/** Ids are the numbers of eight digits that do not begin with 0, in an order that looks random. */
const FIRST_ID = 10_000_000
const IDS = 90_000_000
/** Has no factor in common with `IDS` (2, 3 and 5 only): no id comes twice. */
const ID_STEP = 37_139_213

/**
 * Writes a register of people who do not exist: names, dates and numbers are drawn by a generator
 * of pseudo-random numbers, and any likeness to a person is chance. The same seed and count give the
 * same bytes on every machine.
 */
export function writePeopleCsv(file: string, options: { seed: number; count: number }): void {
  const draw = createDraw(options.seed)
  const firstId = draw(IDS)
  const lines = [HEADER.join(',')]
  for (let index = 0; index < options.count; index++) {
    const digits = String(FIRST_ID + ((firstId + index * ID_STEP) % IDS))
    lines.push(personLine(`${digits}${checkDigit(digits)}`, draw))
  }
  writeFileAtomically(file, `${lines.join('\n')}\n`)
}

function personLine(id: string, draw: (below: number) => number): string {
  const pick = (names: readonly NamePair[]): NamePair => names[draw(names.length)]!
  const [familyKm, familyLatin] = pick(FAMILY_NAMES)
  const sex = draw(2) === 0 ? 'F' : 'M'
  const [givenKm, givenLatin] = pick(sex === 'F' ? FEMALE_NAMES : MALE_NAMES)
  const birthDays = draw((LAST_BIRTH_MS - FIRST_BIRTH_MS) / DAY_MS + 1)
  const birthDate = new Date(FIRST_BIRTH_MS + birthDays * DAY_MS).toISOString().slice(0, 10)
  const province = String(1 + draw(PROVINCES)).padStart(2, '0')
  return [id, familyKm, givenKm, familyLatin, givenLatin, sex, birthDate, province].join(',')
}

/** Luhn's check digit (ISO/IEC 7812-1 annex B): finds each single wrong digit. */
function checkDigit(digits: string): number {
  const sum = digits
    .split('')
    .toReversed()
    .reduce((total, digit, place) => {
      const weighted = Number(digit) * (place % 2 === 0 ? 2 : 1)
      return total + (weighted > 9 ? weighted - 9 : weighted)
    }, 0)
  return (10 - (sum % 10)) % 10
}

/** mulberry32: small, quick, and the same everywhere. Not for secrets. */
function createDraw(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}
