import { describe, expect, it } from 'vitest'
import { column, serveCsv, serveFile, type Served } from './support.ts'

const PROVINCES = 'examples/sandbox/data/provinces.csv'
const encode = encodeURIComponent

async function walk(served: Served, query: string): Promise<(string | undefined)[]> {
  const codes: (string | undefined)[] = []
  let cursor = ''
  do {
    const answer = await served.get(`?${query}${cursor}`)
    expect(answer.status).toBe(200)
    codes.push(...column(answer, 'code'))
    cursor = answer.json.next === undefined ? '' : `&cursor=${answer.json.next as string}`
  } while (cursor !== '')
  return codes
}

describe('a list', () => {
  it('is all rows in the order of the file, with or without a trailing slash', async () => {
    await using served = await serveFile(PROVINCES)
    const answer = await served.get('')
    expect(answer.json.total).toBe(25)
    expect(answer.json).not.toHaveProperty('next')
    expect(column(answer, 'code')[24]).toBe('25')
    expect((await served.get('/')).text).toBe(answer.text)
  })

  it('holds the rows with an exact value, and none with only part of it', async () => {
    await using served = await serveFile(PROVINCES)
    expect(column(await served.get('?unit_en=Capital'), 'code')).toEqual(['12'])
    expect((await served.get('?unit_en=Capita')).json).toEqual({ items: [], total: 0 })
  })

  it('holds the rows whose value begins with what stands before an asterisk', async () => {
    await using served = await serveFile(PROVINCES)
    const answer = await served.get(`?name_km=${encode('ព្រះ')}*`)
    expect(column(answer, 'code')).toEqual(['13', '18'])
    expect(column(await served.get('?name_latin=Kampong+C*'), 'code')).toEqual(['03', '04'])
    expect((await served.get('?code=*')).json.total).toBe(25)
    expect((await served.get('?name_latin=zzz*')).json.total).toBe(0)
  })

  it('takes an asterisk after a backslash, or inside, for itself', async () => {
    await using served = await serveCsv('code,v\n1,a*\n2,ab\n3,a\n4,a*b\n')
    expect(column(await served.get(`?v=${encode('a\\*')}`), 'code')).toEqual(['1'])
    expect(column(await served.get('?v=a*b'), 'code')).toEqual(['4'])
    expect(column(await served.get('?v=a*'), 'code')).toEqual(['1', '2', '3', '4'])
  })

  it('holds the rows for which all columns fit', async () => {
    await using served = await serveFile(PROVINCES)
    const query = `?name_latin=P*&unit_en=Province&name_km=${encode('ព')}*`
    expect(column(await served.get(query), 'code')).toEqual(['13', '14', '15', '18'])
    expect((await served.get('?code=12&unit_en=Province')).json.total).toBe(0)
    await using pairs = await serveCsv('code,a,b,c\n1,x,x,x\n2,x,x,y\n3,x,y,x\n4,y,x,x\n5,x,x,x\n')
    expect(column(await pairs.get('?a=x&b=x&c=x'), 'code')).toEqual(['1', '5'])
    expect(column(await pairs.get('?a=x&b=x*&c=x*'), 'code')).toEqual(['1', '5'])
  })

  it('compares values, prefixes and column names in NFC', async () => {
    await using served = await serveCsv('code,nom d\u00e9\n1,Krati\u00e9\n2,Kratie\u0301 2\n')
    const composed = await served.get(`?${encode('nom d\u00e9')}=${encode('Krati\u00e9')}*`)
    const decomposed = await served.get(`?${encode('nom de\u0301')}=${encode('Kratie\u0301')}*`)
    expect(column(composed, 'code')).toEqual(['1', '2'])
    expect(decomposed.text).toBe(composed.text)
    expect((await served.get(`?nom+de%CC%81=${encode('Kratie\u0301')}`)).json.total).toBe(1)
  })

  it('finds empty values', async () => {
    await using served = await serveCsv('code,v\n1,\n2,x\n3,""\n')
    expect(column(await served.get('?v='), 'code')).toEqual(['1', '3'])
    expect(column(await served.get('?v'), 'code')).toEqual(['1', '3'])
  })

  it('refuses an unknown column and names the known ones', async () => {
    await using served = await serveFile(PROVINCES)
    const { status, json } = await served.get('?colour=red')
    expect(status).toBe(400)
    expect(json).toMatchObject({
      code: 'query.column-unknown',
      parameter: 'colour',
      columns: ['code', 'name_km', 'name_latin', 'unit_en', 'unit_km'],
    })
    expect((await served.get('?__proto__=x')).json.code).toBe('query.column-unknown')
  })

  it.each(['code=1&code=2', 'code=1&column.code=1', 'limit=1&limit=1', 'cursor=a&cursor=a'])(
    'refuses %s, which says a thing twice',
    async (query) => {
      await using served = await serveFile(PROVINCES)
      const { status, json } = await served.get(`?${query}`)
      expect([status, json.code]).toEqual([400, 'query.parameter-repeated'])
    },
  )

  it.each(['limit=0', 'limit=1001', 'limit=', 'limit=ten', 'limit=-1', 'limit=1e2', 'limit=01'])(
    'refuses %s',
    async (query) => {
      await using served = await serveFile(PROVINCES)
      const { status, json } = await served.get(`?${query}`)
      expect([status, json.code]).toEqual([400, 'query.limit-invalid'])
    },
  )

  it('refuses a query that is not percent-encoded UTF-8', async () => {
    await using served = await serveFile(PROVINCES)
    for (const query of ['?code=%zz', '?%E1%9E=1', '?code=%ff']) {
      const { status, json } = await served.get(query)
      expect([status, json.code]).toEqual([400, 'query.malformed'])
    }
  })

  it('reaches columns called limit, cursor and column.limit', async () => {
    await using served = await serveCsv('code,limit,cursor,column.limit\n1,a,b,c\n2,x,y,z\n')
    for (const query of ['column.limit=a', 'column.cursor=b', 'column.column.limit=c']) {
      expect(column(await served.get(`?${query}&limit=5`), 'code')).toEqual(['1'])
    }
    expect(column(await served.get('?column.code=2'), 'code')).toEqual(['2'])
  })
})

describe('a page', () => {
  it('has 100 rows unless asked otherwise, and at most 1000', async () => {
    const rows = Array.from({ length: 1500 }, (_, row) => `${row}\n`)
    await using served = await serveCsv(`code\n${rows.join('')}`)
    expect((await served.get('')).json.items).toHaveLength(100)
    expect((await served.get('?limit=1000')).json.items).toHaveLength(1000)
  })

  it('leads to the next one until every row came once, in order', async () => {
    await using served = await serveFile(PROVINCES)
    const all = column(await served.get('?limit=1000'), 'code')
    for (const limit of [1, 2, 7, 24, 25, 26]) {
      expect(await walk(served, `limit=${limit}`)).toEqual(all)
    }
    const kampong = ['03', '04', '05', '06']
    expect(await walk(served, 'limit=3&name_latin=Kampong*')).toEqual(kampong)
    expect(await walk(served, 'limit=2&name_latin=Kampong*')).toEqual(kampong)
  })

  it('ends early when its rows are long, without losing one', async () => {
    const rows = Array.from({ length: 30 }, (_, row) => `${row},${'x'.repeat(500_000)}\n`)
    await using served = await serveCsv(`code,text\n${rows.join('')}`)
    const first = await served.get('?limit=30')
    expect((first.json.items as unknown[]).length).toBeLessThan(12)
    expect(await walk(served, 'limit=30')).toEqual(rows.map((_, row) => `${row}`))
  })

  it('has a cursor that survives a restart with the same file', async () => {
    await using served = await serveFile(PROVINCES)
    const next = (await served.get('?limit=5')).json.next as string
    await using again = await serveFile(PROVINCES)
    expect(column(await again.get(`?limit=1&cursor=${next}`), 'code')).toEqual(['06'])
  })

  it('has a cursor that is not taken for one of another file', async () => {
    await using served = await serveFile(PROVINCES)
    await using other = await serveCsv('code\n1\n2\n')
    const next = (await other.get('?limit=1')).json.next as string
    const { status, json } = await served.get(`?cursor=${next}`)
    expect([status, json.code]).toEqual([410, 'cursor.outdated'])
  })

  it('refuses a cursor that was not given out', async () => {
    await using served = await serveFile(PROVINCES)
    const next = (await served.get('?limit=5')).json.next as string
    const [version] = Buffer.from(next, 'base64url').toString().split(':')
    const made = ['25', '-1', '1.5', '99999999999', '05'].map((row) =>
      Buffer.from(`${version}:${row}`).toString('base64url'),
    )
    for (const cursor of ['', 'x', '!!', `${next}=`, ` ${next}`, encode('ក'), ...made]) {
      const { status, json } = await served.get(`?cursor=${cursor}`)
      expect([status, json.code], cursor).toEqual([400, 'cursor.malformed'])
    }
  })
})
