import { beforeAll, describe, expect, it } from 'vitest'
import { readDescription, type Description } from '../../openapi/description.ts'
import { describe31, judge, type Json } from './support.ts'

const integer = { type: 'integer' }
const list = { type: 'array', items: integer, maxItems: 3 }
const range = {
  type: 'object',
  properties: { from: integer, to: integer },
  required: ['from'],
  additionalProperties: false,
}
const ANSWERS = {
  200: {
    description: 'good',
    headers: { 'X-Left': { required: true, schema: integer } },
    content: { 'application/json': {} },
  },
  '4XX': { description: 'refused', content: { 'application/problem+json': {} } },
  204: { description: 'nothing' },
}
const parameter = (name: string, where: string, schema: object, rest: object = {}): Json => ({
  name,
  in: where,
  ...(where === 'path' ? { required: true } : {}),
  schema,
  ...rest,
})
const deep = { style: 'deepObject', explode: true }
const QUERY = [
  parameter('page', 'query', { type: 'integer', minimum: 1 }, { required: true }),
  parameter('flag', 'query', { type: 'boolean' }),
  parameter('many', 'query', list),
  parameter('few', 'query', list, { explode: false }),
  parameter('piped', 'query', list, { style: 'pipeDelimited', explode: false }),
  parameter('spaced', 'query', list, { style: 'spaceDelimited', explode: false }),
  parameter('deep', 'query', range, deep),
  parameter('either', 'query', { anyOf: [integer, { type: 'string', maxLength: 2 }] }),
  parameter('empty', 'query', integer, { allowEmptyValue: true }),
  { name: 'json', in: 'query', content: { 'application/json': { schema: range } } },
]
const HEADERS = [
  parameter('X-Count', 'header', integer),
  parameter('X-Many', 'header', list),
  parameter('X-Must', 'header', { type: 'string' }, { required: true }),
  parameter('Accept', 'header', { type: 'string', enum: ['never looked at'] }),
]

let description: Description
beforeAll(async () => {
  const get = { responses: ANSWERS }
  const content = {
    'application/json; charset=utf-8': { schema: { type: 'object' } },
    'text/*': { schema: { type: 'string' } },
  }
  description = await readDescription(
    describe31({
      '/q': { get: { ...get, parameters: QUERY } },
      '/h': { get: { ...get, parameters: HEADERS } },
      '/n/{id}': { parameters: [parameter('id', 'path', integer)], get },
      '/l/{ids}': { get: { ...get, parameters: [parameter('ids', 'path', list)] } },
      '/o/{r}': { get: { ...get, parameters: [parameter('r', 'path', range)] } },
      '/e/{r}': { get: { ...get, parameters: [parameter('r', 'path', range, { explode: true })] } },
      '/d/{d}': { get: { ...get, parameters: [parameter('d', 'path', list, { style: 'label' })] } },
      '/b': { post: { requestBody: { content }, responses: ANSWERS } },
    }),
  )
})
const query = (text: string): Promise<string[]> =>
  judge(description, { method: 'GET', path: '/q', query: `?${text}` })

describe('parameters', () => {
  it.each([
    'page=1',
    'page=1&flag=true',
    'page=1&many=1&many=2',
    'page=1&few=1,2',
    'page=1&few=1%2c2'.replace('%2c', ','),
    'page=1&piped=1|2&spaced=1%202',
    'page=1&piped=1%7C2',
    'page=1&deep[from]=1&deep%5Bto%5D=2',
    'page=1&either=7',
    'page=1&either=ab',
    'page=1&empty=',
    'page=1&json=%7B%22from%22%3A1%7D',
    '&page=1&',
  ])('?%s conforms', async (text) => {
    expect(await query(text)).toEqual([])
  })

  it.each([
    ['', 'query page required'],
    ['page=0', 'query page minimum'],
    ['page=x', 'query page type'],
    ['page=1&page=2', 'query page duplicate'],
    ['page=99999999999999999999', 'query page type'],
    ['page=1&flag=yes', 'query flag type'],
    ['page=1&many=1&many=x', 'query many type'],
    ['page=1&few=1,2,3,4', 'query few maxItems'],
    ['page=1&deep[to]=1', 'query deep required'],
    ['page=1&deep[from]=1&deep[x]=1', 'query deep additionalProperties'],
    ['page=1&deep[__proto__]=1&deep[from]=1', 'query deep additionalProperties'],
    ['page=1&either=abc', 'query either type'],
    ['page=1&json={"from":1,"from":2}', 'query json duplicate'],
    ['page=1&other=1', 'query other unknown'],
    ['page=1&Page=1', 'query Page unknown'],
    ['page=1&0102=1', 'query * unknown'],
    ['page=1;page=2', 'query ambiguous'],
    ['page=%zz', 'query encoding'],
    ['page=1&%ff=1', 'query encoding'],
  ])('?%s is not as described: %s', async (text, found) => {
    expect(await query(text)).toContain(found)
  })

  it.each([
    ['/n/7', []],
    ['/n/x', ['path id type']],
    ['/n/7.5', ['path id type']],
    ['/l/1,2', []],
    ['/l/1,x', ['path ids type']],
    ['/l/1%2C2', ['path ids ambiguous']],
    ['/o/from,1,to,2', []],
    ['/o/to,2', ['path r required']],
    ['/e/from=1,to=2', []],
    ['/e/from=1,no=2', ['path r additionalProperties']],
    ['/d/.1,2', []],
    ['/n/7/', ['operation']],
    ['/none', ['operation']],
  ])('the path %s has %j', async (path, found) => {
    expect(await judge(description, { method: 'GET', path })).toEqual(found)
  })

  it('in headers are compared, and headers that are not described pass', async () => {
    const said = (...headers: string[]): Promise<string[]> =>
      judge(description, { method: 'GET', path: '/h', headers })
    expect(await said('X-Must', 'a', 'X-Other', 'b', 'Accept', '*/*')).toEqual([])
    expect(await said('X-Must', 'a', 'X-Count', '7', 'X-Many', '1, 2')).toEqual([])
    expect(await said('X-Must', 'a', 'X-Many', '1', 'X-Many', '2')).toEqual([])
    expect(await said()).toEqual(['header x-must required'])
    expect(await said('X-Must', 'a', 'x-count', 'many')).toEqual(['header x-count type'])
    expect(await said('X-Must', '\xff')).toEqual(['header x-must utf8'])
  })
})

describe('content types', () => {
  const said = (headers: string[], body = '{}'): Promise<string[]> =>
    judge(description, { path: '/b', headers, body })
  it.each([
    [['content-type', 'application/json'], []],
    [['content-type', 'Application/JSON; charset="UTF-8"'], []],
    [['content-type', 'text/csv'], []],
    [[], ['header content-type content-type']],
    [['content-type', 'application/xml'], ['header content-type content-type']],
    [['content-type', 'nonsense'], ['header content-type content-type']],
    [['content-type', 'application/json; charset=utf-16'], ['header content-type charset']],
    [
      ['content-type', 'application/json', 'content-type', 'text/csv'],
      ['header content-type duplicate'],
    ],
  ])('%j have %j', async (headers, found) => {
    expect(await said(headers)).toEqual(found)
  })

  it('a body is taken where one is described, and only there', async () => {
    expect(await said(['content-type', 'application/json'], '[]')).toEqual(['body type'])
    const unexpected = { method: 'GET', path: '/n/1', body: '{}' }
    expect(await judge(description, unexpected)).toEqual(['body unknown'])
  })
})

describe('answers', () => {
  const said = (status: number, headers: string[], body = ''): Promise<string[]> =>
    judge(description, { method: 'GET', path: '/n/1', status, headers, body })
  const JSON_TYPE = ['content-type', 'application/json']
  it('are compared by status, class and default', async () => {
    expect(await said(200, [...JSON_TYPE, 'x-left', '1'], '{}')).toEqual([])
    expect(await said(200, JSON_TYPE, '{}')).toEqual(['header x-left required'])
    expect(await said(200, ['x-left', 'no', ...JSON_TYPE], '{}')).toEqual(['header x-left type'])
    expect(await said(200, ['x-left', '1'])).toEqual(['body required'])
    expect(await said(404, ['content-type', 'application/problem+json'], '{}')).toEqual([])
    expect(await said(404, JSON_TYPE, '{}')).toEqual(['header content-type content-type'])
    expect(await said(204, [])).toEqual([])
    expect(await said(204, JSON_TYPE, '{}')).toEqual(['body unknown'])
    expect(await said(500, JSON_TYPE, '{}')).toEqual(['header status'])
  })
})
