import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { column, serveCsv, serveFile, urlOf, WARN, type Served } from './support.ts'

const CHANGE = { timeout: 10_000, interval: 50 }

async function becomes(served: Served, codes: string[]): Promise<void> {
  await vi.waitFor(async () => expect(column(await served.get(''), 'code')).toEqual(codes), CHANGE)
}
async function warned(served: Served): Promise<void> {
  await vi.waitFor(
    () => expect(served.log.filter(({ level }) => level === WARN).length).toBeGreaterThan(0),
    CHANGE,
  )
}

describe('a changed file', () => {
  it('is served after it was written in place', async () => {
    await using served = await serveCsv('code\n1\n')
    writeFileSync(served.file, 'code\n1\n2\n')
    await becomes(served, ['1', '2'])
  })

  it('is served after another was renamed to its name, again and again', async () => {
    await using served = await serveCsv('code\n1\n')
    for (const code of ['2', '3', '4']) {
      writeFileSync(`${served.file}.new`, `code\n${code}\n`)
      renameSync(`${served.file}.new`, served.file)
      await becomes(served, [code])
    }
  })

  it('is served although the folder reports nothing, as behind a symbolic link', async () => {
    await using served = await serveCsv('code\n1\n')
    const links = join(served.folder, 'links')
    mkdirSync(links)
    symlinkSync(served.file, join(links, 'link.csv'))
    await using linked = await serveFile(join(links, 'link.csv'))
    writeFileSync(served.file, 'code\n1\n2\n')
    await becomes(linked, ['1', '2'])
  })

  it('may have other columns, which the description follows', async () => {
    await using served = await serveCsv('code,a\n1,x\n')
    writeFileSync(served.file, 'b,code\ny,1\n')
    await vi.waitFor(async () => {
      const { json } = await served.get('/1')
      expect(json).toEqual({ b: 'y', code: '1' })
    }, CHANGE)
    const { text } = await served.get(urlOf(served, '/openapi.json'))
    expect(text).toContain('"required":["b","code"]')
  })

  it('makes cursors and tags of the one before worthless', async () => {
    await using served = await serveCsv('code\n1\n2\n3\n')
    const page = await served.get('?limit=1')
    const etag = page.headers.get('etag')!
    writeFileSync(served.file, 'code\n2\n3\n4\n')
    await becomes(served, ['2', '3', '4'])
    const { status, json } = await served.get(`?cursor=${page.json.next as string}`)
    expect([status, json.code]).toEqual([410, 'cursor.outdated'])
    expect((await served.get('/2', { headers: { 'if-none-match': etag } })).status).toBe(200)
  })

  it('leaves cursors alone when it was only touched', async () => {
    await using served = await serveCsv('code\n1\n2\n3\n')
    const { next } = (await served.get('?limit=1')).json
    const { loadedAt } = (await served.get(urlOf(served, '/healthz'))).json
    writeFileSync(served.file, 'code\n1\n2\n3\n')
    await new Promise((done) => setTimeout(done, 1000))
    expect(column(await served.get(`?cursor=${next as string}`), 'code')).toEqual(['2', '3'])
    expect((await served.get(urlOf(served, '/healthz'))).json.loadedAt).toBe(loadedAt)
  })

  it.each([
    ['is empty', ''],
    ['has lost its key column', 'name\na\n'],
    ['has two columns of one name', 'code,a,a\n1,2,3\n'],
  ])('that %s leaves the one before in use, with a warning', async (_, content) => {
    await using served = await serveCsv('code,name\n1,a\n', { key: 'code' })
    writeFileSync(served.file, content)
    await warned(served)
    expect((await served.get('/1')).json).toEqual({ code: '1', name: 'a' })
    const { json } = await served.get(urlOf(served, '/healthz'))
    expect(json).toMatchObject({ rows: 1, staleBecause: expect.any(String) as string })
  })

  it('that is gone leaves the one before in use until it comes back', async () => {
    await using served = await serveCsv('code\n1\n')
    rmSync(served.file)
    await warned(served)
    expect(column(await served.get(''), 'code')).toEqual(['1'])
    writeFileSync(served.file, 'code\n2\n')
    await becomes(served, ['2'])
    const { json } = await served.get(urlOf(served, '/healthz'))
    expect(json).not.toHaveProperty('staleBecause')
  })

  it('never shows a query two versions at once', async () => {
    const version = (v: number): string =>
      `code,v\n${Array.from({ length: 20_000 }, (_, row) => `${row},${v}\n`).join('')}`
    await using served = await serveCsv(version(0))
    const seen = new Set<string>()
    for (let v = 1; v <= 3; v++) {
      writeFileSync(`${served.file}.new`, version(v))
      renameSync(`${served.file}.new`, served.file)
      await vi.waitFor(async () => {
        const answer = await served.get('?code=1*&limit=1000')
        const values = new Set(column(answer, 'v'))
        expect(values.size).toBe(1)
        expect(answer.json.total).toBe(11_111)
        seen.add([...values][0]!)
        expect(seen.has(`${v}`)).toBe(true)
      }, CHANGE)
    }
    expect([...seen]).toEqual(['0', '1', '2', '3'])
  })
})
