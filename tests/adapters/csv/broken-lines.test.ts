import { describe, expect, it } from 'vitest'
import { serveCsv, urlOf, WARN, type Served } from './support.ts'

interface Health {
  readonly rows: number
  readonly brokenLines: readonly { line: number; why: string }[]
  readonly brokenLineCount: number
}

async function health(served: Served): Promise<Health> {
  return (await served.get(urlOf(served, '/healthz'))).json as unknown as Health
}

async function brokenLines(content: string | Buffer): Promise<number[]> {
  await using served = await serveCsv(content)
  const { brokenLines, brokenLineCount } = await health(served)
  expect(brokenLineCount).toBe(brokenLines.length)
  const warned = served.log.filter(({ level }) => level === WARN).map(({ line }) => line)
  expect(warned).toEqual(brokenLines.map(({ line }) => line))
  return brokenLines.map(({ line }) => line)
}

describe('a line that cannot be served', () => {
  it('is left out, and the rest is served', async () => {
    await using served = await serveCsv('code,v\n1,a\n2\n3,c\n')
    expect((await served.get('')).json.items).toEqual([
      { code: '1', v: 'a' },
      { code: '3', v: 'c' },
    ])
    expect(await health(served)).toMatchObject({ rows: 2, brokenLineCount: 1 })
  })

  it('is reported with its number for each of its faults', async () => {
    expect(await brokenLines('code,v\n1,a\n2,b,c\n3,c\n')).toEqual([3]) // too many fields
    expect(await brokenLines('code,v\n1,a\n1,b\n')).toEqual([3]) // key again
    expect(await brokenLines('code,v\nK\u00e9p,a\nKe\u0301p,b\n')).toEqual([3]) // key again in NFC
    expect(await brokenLines('code,v\n,a\n2,b\n')).toEqual([2]) // no key
    expect(await brokenLines('code,v\n1,a"b\n2,b\n')).toEqual([2]) // quote inside
    expect(await brokenLines('code,v\n1,"a"b\n2,b\n')).toEqual([2]) // text after the quote
    expect(await brokenLines('code,v\n1,a\n2,"b\n3,c\n')).toEqual([3]) // quote not closed
    expect(await brokenLines('code,v\n1,a\n2,"b\n3,"c"\n4,d\n')).toEqual([3])
  })

  it('is counted right after quoted fields with line ends, of either kind', async () => {
    expect(await brokenLines('code,v\n1,"a\nb\n\nc"\n2\n')).toEqual([6])
    expect(await brokenLines('code,v\r\n1,"a\r\nb\r\n\r\nc"\r\n2\r\n')).toEqual([6])
    expect(await brokenLines('code,v\n\n\n1,a\n2\n')).toEqual([5])
  })

  it('is counted right when it begins a record of several lines', async () => {
    expect(await brokenLines('code,v\n1,"a\nb",c\n2,d\n3\n')).toEqual([2, 5])
  })

  it('is the one with bytes that are not UTF-8', async () => {
    const latin1 = Buffer.from('code,v\n1,a\n2,Tak\u00e9o\n3,c\n', 'latin1')
    expect(await brokenLines(latin1)).toEqual([3])
    const inside = Buffer.from('code,v\n1,"a\nTak\u00e9o\nb"\n2,b\n', 'latin1')
    await using served = await serveCsv(inside)
    expect(await health(served)).toMatchObject({ rows: 1, brokenLines: [{ line: 3 }] })
  })

  it('does not cost the lines after it when its quote is not closed', async () => {
    const rows = Array.from({ length: 3000 }, (_, row) => `${row},"x ${row}"\n`)
    rows[500] = '500,"x\n'
    rows[2999] = '2999,"x\n'
    await using served = await serveCsv(`code,v\n${rows.join('')}`)
    const { rows: served_, brokenLines } = await health(served)
    expect(served_).toBe(2998)
    expect(brokenLines.map(({ line }) => line)).toEqual([502, 3001])
    expect((await served.get('/501')).json.v).toBe('x 501')
  })

  it('is listed and logged up to the hundredth, and counted beyond', async () => {
    await using served = await serveCsv(`code,v\n${'1\n'.repeat(5000)}2,b\n`)
    const { rows, brokenLines, brokenLineCount } = await health(served)
    expect([rows, brokenLines.length, brokenLineCount]).toEqual([1, 100, 5000])
    expect(served.log.filter(({ level }) => level === WARN)).toHaveLength(101)
  })

  it('is reported without any of its values', async () => {
    await using served = await serveCsv('code,v\nsecret,a\nsecret,b\nsecret\nsecret,"b\n')
    const { text } = await served.get(urlOf(served, '/healthz'))
    expect(text + JSON.stringify(served.log)).not.toContain('secret')
  })
})

describe('a file from a spreadsheet', () => {
  it('may begin with a byte order mark and end its lines with CR LF', async () => {
    await using served = await serveCsv('\ufeffcode,v\r\n1,"a ""b"", c"\r\n2,\r\n')
    expect((await served.get('')).json.items).toEqual([
      { code: '1', v: 'a "b", c' },
      { code: '2', v: '' },
    ])
  })

  it('may lack the last line end, or have no rows', async () => {
    await using served = await serveCsv('code,v\n1,a')
    expect((await served.get('')).json.total).toBe(1)
    await using empty = await serveCsv('code,v')
    expect((await empty.get('')).json).toEqual({ items: [], total: 0 })
  })
})
