import {
  CSV_HEAD,
  csvLine,
  ndjsonLine,
  type ExportFormat,
} from '../../exchange-log/exchange-table.ts'
import type { ExchangeLogStore, ExchangeSummary, LogQuery } from '../../exchange-log/store.ts'
import type { ReadInTurn } from './query-log.ts'

const PAGE = 1000

/**
 * All exchanges of a query, newest first, a page at a time; only one is held in memory.
 *
 * @param gone ends it early: who asked is not there any more.
 */
export async function* allPages(
  store: Pick<ExchangeLogStore, 'list'>,
  query: Omit<LogQuery, 'limit'>,
  read: ReadInTurn,
  gone?: AbortSignal,
): AsyncGenerator<ExchangeSummary[]> {
  let { before } = query
  while (gone?.aborted !== true) {
    const from = before === undefined ? {} : { before }
    const page = await read(() => store.list({ ...query, ...from, limit: PAGE }))
    if (page.length > 0) yield page
    if (page.length < PAGE) return
    before = page.at(-1)!.position
  }
}

/**
 * The text of an export, page by page.
 *
 * @param onEnd is told how many exchanges were handed on, before the last bytes are: without it nothing
 *   ends well. Told also when the reader has gone.
 */
export async function* exportText(
  pages: AsyncIterable<ExchangeSummary[]>,
  format: ExportFormat,
  onEnd: (sent: number, complete: boolean) => Promise<unknown>,
): AsyncGenerator<string> {
  const line = format === 'csv' ? csvLine : ndjsonLine
  // One page is held back, so that the reader has all of it only when the end was recorded.
  let held = format === 'csv' ? CSV_HEAD : ''
  let sent = 0
  let complete = false
  try {
    for await (const page of pages) {
      if (held !== '') yield held
      held = page.map(line).join('')
      sent += page.length
    }
    complete = true
    await onEnd(sent, true)
    if (held !== '') yield held
  } finally {
    if (!complete) await onEnd(sent, false)
  }
}
