import { request } from 'node:http'
import { describe, expect, it } from 'vitest'
import { serveCsv, serveFile, urlOf } from './support.ts'

const PROVINCES = 'examples/sandbox/data/provinces.csv'

/** fetch would put a path in order before it is sent. */
async function rawGet(port: number, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request({ port, path }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .on('error', reject)
      .end()
  })
}

describe('a row', () => {
  it('is a JSON object of texts in the order of the header', async () => {
    await using served = await serveFile(PROVINCES)
    const { status, headers, text } = await served.get('/12')
    expect(status).toBe(200)
    expect(headers.get('content-type')).toBe('application/json')
    expect(text).toBe(
      '{"code":"12","name_km":"ភ្នំពេញ","name_latin":"Phnom Penh","unit_en":"Capital","unit_km":"រាជធានី"}',
    )
  })

  it('keeps the order of columns that are numbers, and a column called __proto__', async () => {
    await using served = await serveCsv('id,2024,1999,__proto__\nx,a,b,c\n')
    expect((await served.get('/x')).text).toBe('{"id":"x","2024":"a","1999":"b","__proto__":"c"}')
  })

  it('that does not exist is a 404 problem', async () => {
    await using served = await serveFile(PROVINCES)
    const { status, headers, json } = await served.get('/26')
    expect(status).toBe(404)
    expect(headers.get('content-type')).toBe('application/problem+json')
    expect(json).toMatchObject({ code: 'row.unknown', status: 404 })
  })

  it('answers HEAD like GET, without the body', async () => {
    await using served = await serveFile(PROVINCES)
    const get = await served.get('/12')
    const head = await served.get('/12', { method: 'HEAD' })
    expect(head.status).toBe(200)
    expect(head.text).toBe('')
    expect(head.headers.get('content-length')).toBe(get.headers.get('content-length'))
    expect((await served.get('/26', { method: 'HEAD' })).status).toBe(404)
  })

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('refuses %s', async (method) => {
    await using served = await serveFile(PROVINCES)
    const { status, headers, json } = await served.get('/12', { method })
    expect(status).toBe(405)
    expect(headers.get('allow')).toBe('GET, HEAD')
    expect(json.code).toBe('method.unsupported')
  })

  it('is found by a key with a slash, with spaces, in Khmer, and by each Unicode form', async () => {
    await using served = await serveCsv(
      'id,n\nGOV/12,1\na b?#%,2\nភ្នំពេញ,3\nTak\u00e9o,4\nKe\u0301p,5\nក\u17dd\u17d2ក,6\n',
    )
    const lookUp = async (key: string): Promise<unknown> =>
      (await served.get(`/${encodeURIComponent(key)}`)).json.n
    expect(await lookUp('GOV/12')).toBe('1')
    expect(await lookUp('a b?#%')).toBe('2')
    expect(await lookUp('ភ្នំពេញ')).toBe('3')
    expect(await lookUp('Take\u0301o')).toBe('4')
    expect(await lookUp('K\u00e9p')).toBe('5')
    expect(await lookUp('ក\u17d2\u17ddក')).toBe('6')
    expect((await served.get('/GOV/12')).status).toBe(404)
  })

  it('is given as it stands in the file, whatever form was asked for', async () => {
    await using served = await serveCsv('id\nKe\u0301p\n')
    expect((await served.get('/K%C3%A9p')).json).toEqual({ id: 'Ke\u0301p' })
  })

  it('refuses a key that is not percent-encoded UTF-8', async () => {
    await using served = await serveFile(PROVINCES)
    for (const path of ['/%zz', '/%E1%9E', '/%']) {
      const { status, json } = await served.get(path)
      expect([status, json.code]).toEqual([400, 'path.malformed'])
    }
  })

  it('has the version of the data as its tag and is not sent twice', async () => {
    await using served = await serveFile(PROVINCES)
    const etag = (await served.get('/12')).headers.get('etag')!
    for (const known of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const again = await served.get('/12', { headers: { 'if-none-match': known } })
      expect([again.status, again.text]).toEqual([304, ''])
    }
    expect((await served.get('/12', { headers: { 'if-none-match': '"x"' } })).status).toBe(200)
    expect((await served.get('/26', { headers: { 'if-none-match': '*' } })).status).toBe(404)
  })
})

describe('the key column', () => {
  it('is code if there is one', async () => {
    await using served = await serveCsv('name,code\na,1\n')
    expect((await served.get('/1')).status).toBe(200)
  })

  it('is the first column otherwise', async () => {
    await using served = await serveCsv('name,number\na,1\n')
    expect((await served.get('/a')).status).toBe(200)
  })

  it('is the one that was asked for, in any Unicode form', async () => {
    await using served = await serveCsv('code,caf\u00e9\n1,x\n', { key: 'cafe\u0301' })
    expect((await served.get('/x')).status).toBe(200)
  })
})

describe('other paths', () => {
  it.each(['/', '/other', '/other/12', '/rows/12/more', '/rows/12/', '//rows/12', '/ROWS/12'])(
    '%s is not served',
    async (path) => {
      await using served = await serveFile(PROVINCES)
      const { status, json } = await served.get(urlOf(served, '/').slice(0, -1) + path)
      expect([status, json.code]).toEqual([404, 'path.unknown'])
    },
  )

  it('longer than 8192 bytes are refused', async () => {
    await using served = await serveFile(PROVINCES)
    const { status, json } = await served.get(`/${'1'.repeat(8192)}`)
    expect([status, json.code]).toEqual([414, 'target.too-long'])
    expect((await served.get(`/${'1'.repeat(8192 - '/rows/'.length)}`)).status).toBe(404)
  })

  it('in absolute form or with dot segments reach no row', async () => {
    await using served = await serveFile(PROVINCES)
    const { port } = served.adapter
    expect(await rawGet(port, `http://127.0.0.1:${port}/rows/12`)).toBe(404)
    expect(await rawGet(port, '/x/../rows/12')).toBe(404)
  })

  it('of a service with another script are compared decoded', async () => {
    await using served = await serveCsv('code\n1\n', { service: 'ខេត្ត' })
    expect(served.adapter.url).toMatch(/%E1/)
    expect((await served.get('/1')).status).toBe(200)
  })
})
