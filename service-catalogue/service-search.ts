import type { SQLInputValue } from 'node:sqlite'
import type { Database } from '../runtime/sqlite-database.ts'
import { LANGUAGES, type Language, type ServiceEntry } from './service-entry.ts'

export interface SearchQuery {
  readonly q?: string
  /** Only texts in it, beside names that are of none. */
  readonly language?: Language
  /** `INSTANCE/CLASS/MEMBER`. */
  readonly member?: string
  /** Classification of the data. */
  readonly class?: string
  readonly purpose?: string
  /** Name of a property in the description, in any case of letters. */
  readonly field?: string
  readonly limit: number
  readonly offset: number
}

export interface FoundService {
  readonly id: string
  readonly title: string
  readonly version: string
  readonly state: string
  readonly classification?: string
  readonly entry: ServiceEntry
}

/** Fewer letters than a trigram has are looked for in every text. */
const TRIGRAM = 3

/** The best first. Every word has to be found; within a word of Khmer or Lao, every word that it is made of. */
export function searchServices(db: Database, query: SearchQuery): FoundService[] {
  const { language, limit, offset } = query
  const columns = [...LANGUAGES.filter((l) => language === undefined || l === language), 'other']
  const words = wordsOf(query.q ?? '')
  const isLong = (word: string): boolean => Array.from(word).length >= TRIGRAM
  const long = words.filter(isLong)
  const where = [`state IN ('published', 'deprecated')`]
  const values: SQLInputValue[] = []
  const require = (condition: string, ...more: SQLInputValue[]): void => {
    where.push(condition)
    values.push(...more)
  }
  if (long.length > 0) {
    const phrases = long.map((word) => `"${word.replaceAll('"', '""')}"`).join(' AND ')
    require('service_search MATCH ?', `{${columns.join(' ')}} : (${phrases})`)
  }
  for (const word of words.filter((one) => !isLong(one))) {
    const text = columns.map((column) => `service_search.${column}`).join(` || ' ' || `)
    require(`instr(lower(${text}), ?) > 0`, word.toLowerCase())
  }
  if (query.member !== undefined)
    require('substr(service.id, 1, ?) = ?', query.member.length + 1, `${query.member}/`)
  if (query.class !== undefined) require('classification = ?', query.class)
  if (query.purpose !== undefined) {
    require(`EXISTS (SELECT 1 FROM json_each(entry, '$.purposes') WHERE value = ?)`, query.purpose)
  }
  if (query.field !== undefined) {
    require('service.id IN (SELECT service FROM service_field WHERE name = ?)', query.field)
  }
  const order = long.length > 0 ? 'rank, service.id' : 'service.id'
  const rows = db.all<
    Omit<FoundService, 'entry' | 'classification'> & {
      entry: string
      classification: string | null
    }
  >(
    `SELECT service.id, title, version, state, classification, entry FROM service_search
     JOIN service_entry ON number = service_search.rowid JOIN service ON service.id = service_entry.service
     WHERE ${where.join(' AND ')} ORDER BY ${order} LIMIT ? OFFSET ?`,
    ...values,
    limit,
    offset,
  )
  return rows.map(({ entry, classification, ...row }) => ({
    ...row,
    ...(classification === null ? {} : { classification }),
    entry: JSON.parse(entry) as ServiceEntry,
  }))
}

const SEGMENTERS = {
  km: new Intl.Segmenter('km', { granularity: 'word' }),
  lo: new Intl.Segmenter('lo', { granularity: 'word' }),
}

/** Khmer and Lao have no spaces between words: their dictionary tells where one ends. */
export function wordsOf(text: string): string[] {
  return text
    .toWellFormed()
    .replaceAll('\0', ' ')
    .split(/[\s\u200b]+/)
    .flatMap((word) => {
      const language = /\p{Script=Khmer}/u.test(word)
        ? 'km'
        : /\p{Script=Lao}/u.test(word)
          ? 'lo'
          : undefined
      if (language === undefined) return [word]
      return [...SEGMENTERS[language].segment(word)]
        .filter(({ isWordLike }) => isWordLike)
        .map(({ segment }) => segment)
    })
    .filter((word) => word !== '')
}
