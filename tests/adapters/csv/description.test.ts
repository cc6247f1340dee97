import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { serveCsv, serveFile, urlOf, type Served } from './support.ts'

type Json = Record<string, unknown>
interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly schema: Json
}
interface Operation {
  readonly parameters: readonly Parameter[]
  readonly responses: Record<string, Json>
}
interface Description {
  readonly openapi: string
  readonly info: { title: string; version: string }
  readonly servers: readonly { url: string }[]
  readonly paths: Record<string, { get: Operation }>
  readonly components: { schemas: { Row: { properties: Record<string, Json> } } }
}

async function describeServed(served: Served): Promise<Description> {
  const { status, json } = await served.get(urlOf(served, '/openapi.json'))
  expect(status).toBe(200)
  return json as unknown as Description
}

/** Schema of an answer, as a validator that knows where its references lead. */
function validator(description: Description, pointer: string): (value: unknown) => boolean {
  const ajv = new Ajv2020({ strict: false })
  ajv.addFormat('date', /^\d{4}-\d{2}-\d{2}$/)
  ajv.addSchema(description as unknown as Json, 'openapi')
  return (value) => ajv.validate({ $ref: `openapi#${pointer}` }, value)
}

const ROW = '/components/schemas/Row'
const PAGE = '/paths/~1/get/responses/200/content/application~1json/schema'

async function rowSchema(
  content: string,
  options: { examples?: boolean } = {},
): Promise<Record<string, Json>> {
  await using served = await serveCsv(content, options)
  return (await describeServed(served)).components.schemas.Row.properties
}

describe('the description', () => {
  it('gives both operations, relative to the URL of the service', async () => {
    await using served = await serveFile('examples/sandbox/data/provinces.csv')
    const description = await describeServed(served)
    expect(description.openapi).toMatch(/^3\.1\./)
    expect(description.servers).toEqual([{ url: served.adapter.url }])
    expect(served.adapter.url).toBe(`http://127.0.0.1:${served.adapter.port}/rows`)
    expect(served.adapter.descriptionUrl).toBe(urlOf(served, '/openapi.json'))
    expect(Object.keys(description.paths)).toEqual(['/{code}', '/'])
    const row = description.paths['/{code}']!.get
    expect(row.parameters).toMatchObject([{ name: 'code', in: 'path', required: true }])
    expect(Object.keys(row.responses)).toEqual(['200', '400', '404'])
    const list = description.paths['/']!.get
    expect(Object.keys(list.responses)).toEqual(['200', '400', '410'])
    expect(list.parameters.map(({ name }) => name)).toEqual([
      'code',
      'name_km',
      'name_latin',
      'unit_en',
      'unit_km',
      'limit',
      'cursor',
    ])
  })

  it('is true of every row and page that is served', async () => {
    await using served = await serveFile('examples/sandbox/data/provinces.csv')
    const description = await describeServed(served)
    const { json: page } = await served.get('?limit=20')
    expect(validator(description, PAGE)(page)).toBe(true)
    const isRow = validator(description, ROW)
    const { json: row } = await served.get('/12')
    expect(isRow(row)).toBe(true)
    expect(isRow({ ...row, unit_en: 'Kingdom' })).toBe(false)
    expect(isRow({ ...row, more: 'x' })).toBe(false)
    const { name_km: _, ...incomplete } = row
    expect(isRow(incomplete)).toBe(false)
  })

  it('offers only parameters that the list takes', async () => {
    await using served = await serveCsv('code,limit,cursor,column.limit,a b\n1,x,x,x,x\n')
    const { parameters } = (await describeServed(served)).paths['/']!.get
    const names = parameters.slice(0, -2).map(({ name }) => name)
    expect(names).toEqual(['code', 'column.limit', 'column.cursor', 'column.column.limit', 'a b'])
    for (const name of names.slice(1)) {
      expect((await served.get(`?${encodeURIComponent(name)}=x`)).json.total, name).toBe(1)
    }
  })

  it('calls the path parameter key when the column name cannot stand in a path', async () => {
    await using served = await serveCsv('{id},v\n1,a\n')
    const { paths } = await describeServed(served)
    expect(paths['/{key}']!.get.parameters[0]!.name).toBe('key')
  })

  it('gives values that recur as a choice, but not those of the key', async () => {
    const { code, v } = await rowSchema('code,v\n1,b\n2,a\n3,b\n4,\n5,a\n6,b\n')
    expect(v).toMatchObject({ type: 'string', enum: ['', 'a', 'b'] })
    expect(code).not.toHaveProperty('enum')
    const many = Array.from({ length: 100 }, (_, row) => `${row},x${row % 30}\n`)
    expect((await rowSchema(`code,v\n${many.join('')}`)).v).not.toHaveProperty('enum')
  })

  it('gives a pattern for digits only when all values have them', async () => {
    const all = await rowSchema('code,a,b,c\n01,1,12,1\n02,22,,x\n')
    expect(all.code).toMatchObject({ pattern: '^[0-9]{2}$' })
    expect(all.a).toMatchObject({ pattern: '^[0-9]+$' })
    expect(all.b).toMatchObject({ pattern: '^([0-9]{2})?$' })
    expect(all.c).not.toHaveProperty('pattern')
    expect((await rowSchema('code,a\nx,-1.5\ny,2\n')).a).toMatchObject({
      pattern: '^-?[0-9]+([.][0-9]+)?$',
    })
  })

  it('gives the format date only when all values are days of the calendar', async () => {
    const { a, b, c, d } = await rowSchema(
      'code,a,b,c,d\n1,2024-02-29,2024-01-01,2023-02-29,\n2,2023-01-31,,2023-01-01,\n',
    )
    expect(a).toMatchObject({ format: 'date' })
    expect(b).toMatchObject({ anyOf: [{ format: 'date' }, { maxLength: 0 }] })
    expect(JSON.stringify(c)).not.toContain('date')
    expect(d).toEqual({ type: 'string' })
  })

  it('judges by the rows that are served, not by broken lines', async () => {
    expect((await rowSchema('code,a\n1,1\n2,2\n2,x\n3,3\n')).a).toMatchObject({
      pattern: '^[0-9]{1}$',
    })
  })

  it('has no value of any row, unless it is told to have examples', async () => {
    const csv = 'code,v\n1,b\n2,a\n3,c\n4,d\n'
    expect((await rowSchema(csv)).v).not.toHaveProperty('examples')
    expect((await rowSchema(csv, { examples: true })).v!.examples).toEqual(['a', 'c', 'd'])
  })

  it('has a tag of its own', async () => {
    await using served = await serveCsv('code\n1\n')
    const url = urlOf(served, '/openapi.json')
    const etag = (await served.get(url)).headers.get('etag')!
    expect((await served.get(url, { headers: { 'if-none-match': etag } })).status).toBe(304)
  })
})
