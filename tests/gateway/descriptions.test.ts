import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { REGISTRY, startFederation, type Federation } from '../support/federation.ts'
import { expectRefusal } from '../support/refusals.ts'

let f: Federation
beforeAll(async () => {
  f = await startFederation()
  const paths = { '/a': { get: { responses: { 200: { description: 'good' } } } } }
  for (const code of ['first', 'second']) {
    const info = { title: code, version: '1' }
    await f.addService(code, { description: { openapi: '3.0.3', info, paths } })
  }
  await f.settled()
})
afterAll(() => f[Symbol.asyncDispose]())

const pathOf = (code: string): string => `/r1/${REGISTRY}/getOpenAPI?serviceCode=${code}`

describe('without the catalogue', () => {
  it('a description that was asked for before is at hand; another one is refused in words', async () => {
    expect((await f.call(pathOf('first'))).status).toBe(200)
    await f.catalogue[Symbol.asyncDispose]()
    expect((await f.call(pathOf('first'))).status).toBe(200)
    await expectRefusal(f, {
      name: 'a description that cannot be fetched',
      send: (g) => g.call(pathOf('second')),
      code: 'catalogue.unavailable',
      by: 'provider',
    })
  })
})
