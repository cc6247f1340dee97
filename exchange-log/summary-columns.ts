import type { ExchangeSummary } from './store.ts'

/** What is told of an exchange, in the order of an export. */
export const SUMMARY_COLUMNS = [
  'position',
  'exchangeId',
  'side',
  'at',
  'endedAt',
  'client',
  'service',
  'method',
  'target',
  'messageId',
  'userId',
  'issue',
  'purpose',
  'peer',
  'status',
  'outcome',
  'code',
  'origin',
] as const satisfies readonly (keyof ExchangeSummary)[]

/** Of the last record of a run, which says how it ended. */
export const OF_LAST = ['peer', 'status', 'code', 'origin'] as const
/** Neither column is stored: they follow from the last record. */
const MADE = ['endedAt', 'outcome'] as const
type OfFirst = Exclude<
  (typeof SUMMARY_COLUMNS)[number],
  (typeof OF_LAST)[number] | (typeof MADE)[number]
>
const ELSEWHERE: ReadonlySet<string> = new Set([...OF_LAST, ...MADE])
/** Of the record that begins a run. */
export const OF_FIRST = SUMMARY_COLUMNS.filter(
  (column): column is OfFirst => !ELSEWHERE.has(column),
)
