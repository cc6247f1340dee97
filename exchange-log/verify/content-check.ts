import type { Report } from './finding.ts'
import type { CheckedRecord, KeptContent, RecordSource } from './source.ts'

/** Checks that content which records say was kept is there, unless it was erased. */
export async function checkContents(
  records: readonly CheckedRecord[],
  source: RecordSource,
  report: Report,
): Promise<void> {
  const first = records[0]
  const last = records.at(-1)
  if (first === undefined || last === undefined) return
  const contents = await source.contents(first.position - 1, last.position)
  for (const record of records) {
    const { kept, position, exchangeId } = record
    if (kept === undefined || kept === 'none') continue
    const fault = faultOf(record, contents.get(position))
    if (fault === undefined) continue
    if (await source.isErased(record)) continue
    report({ code: 'content.missing', position, exchangeId, detail: fault })
  }
}

/** Part 0 is the header block; the body has at least one part, also when it is empty. */
function faultOf({ kept }: CheckedRecord, content: KeptContent | undefined): string | undefined {
  if (content === undefined) return `${kept} was kept and no erasure is recorded; it is gone`
  if (!content.hasKey) return 'the key of its content is gone, and no erasure is recorded'
  return content.parts < (kept === 'full' ? 2 : 1) ? 'parts of its content are gone' : undefined
}
