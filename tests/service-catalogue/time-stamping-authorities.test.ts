import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openssl, writeFiles } from '../pki/support.ts'
import {
  createAuthority,
  startTestCatalogue,
  temporaryFolder,
  type Answer,
  type Running,
} from './support.ts'

const PATH = '/admin/time-stamping-authorities'
let running: Running
let tsa: string
let plain: string
beforeAll(async () => {
  running = await startTestCatalogue()
  const folder = temporaryFolder()
  const at = (name: string): string => join(folder, name)
  const make = async (name: string, extensions: string): Promise<string> => {
    writeFiles(folder, {
      [`${name}.cnf`]: `[req]\ndistinguished_name=dn\nx509_extensions=x\n[dn]\n[x]\n${extensions}`,
    })
    const { exitCode, output } = await openssl(
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', at(`${name}.key`)],
      [
        '-config',
        at(`${name}.cnf`),
        '-subj',
        `/CN=${name}`,
        '-days',
        '30',
        '-out',
        at(`${name}.pem`),
      ],
    )
    expect([exitCode, output]).toEqual([0, expect.anything()])
    return readFileSync(at(`${name}.pem`), 'utf8')
  }
  tsa = await make('TSA', 'extendedKeyUsage=critical,timeStamping\nbasicConstraints=CA:FALSE\n')
  plain = await make(
    'plain',
    'extendedKeyUsage=timeStamping,clientAuth\nbasicConstraints=CA:FALSE\n',
  )
  // Its clock stands still, at a moment before these were made.
  running.clock.now = new Date()
})
afterAll(() => running[Symbol.asyncDispose]())

const put = (name: string, body: object): Promise<Answer> =>
  running.call('PUT', `${PATH}/${name}`, { body })
const names = async (): Promise<unknown> => {
  const { body } = await running.call('GET', PATH)
  return (body.timeStampingAuthorities as { name: string }[]).map(({ name }) => name)
}

it('are registered, listed and published in the order in which gateways try them, and removed', async () => {
  expect((await running.snapshot()).timeStampingAuthorities).toBeUndefined()
  const first = await put('National', { url: 'http://tsa.example/tsp', certificates: [tsa] })
  expect([first.status, first.body]).toMatchObject([
    201,
    { url: 'http://tsa.example/tsp', certificates: [tsa], order: 1 },
  ])
  const { pems } = await createAuthority('TSA of another')
  const second = { url: 'https://tsa.other.example', certificates: pems.slice(0, 1) }
  expect((await put('Another', second)).body.order).toBe(2)
  expect(await names()).toEqual(['National', 'Another'])
  expect((await put('Another', { ...second, order: 0 })).status).toBe(200)
  expect(await names()).toEqual(['Another', 'National'])
  expect((await put('Another', second)).body.order).toBe(0)
  const { timeStampingAuthorities } = await running.snapshot()
  expect(timeStampingAuthorities).toMatchObject([
    { name: 'Another', url: second.url },
    {
      name: 'National',
      url: 'http://tsa.example/tsp',
      certificates: [tsa.split('\n').slice(1, -2).join('')],
    },
  ])
  expect((await running.call('GET', `${PATH}/National`)).body).toEqual(first.body)
  expect((await running.call('DELETE', `${PATH}/Another`)).status).toBe(204)
  for (const method of ['GET', 'DELETE']) {
    expect((await running.call(method, `${PATH}/Another`)).body.code).toBe('admin.not-found')
  }
  expect(await names()).toEqual(['National'])
  const { body } = await running.call('GET', '/admin/status')
  expect(body.counts).toMatchObject({ timeStampingAuthorities: 1 })
})

it.each([
  ['no address', () => ({ url: 'tsa.example', certificates: [tsa] }), /url: write http/],
  ['an address of a file', () => ({ url: 'file:///tsa', certificates: [tsa] }), /url: write http/],
  [
    'a user in the address',
    () => ({ url: 'http://a@tsa/', certificates: [tsa] }),
    /url: write http/,
  ],
  ['no certificate', () => ({ url: 'http://tsa/', certificates: [] }), /certificates/],
  ['a text', () => ({ url: 'http://tsa/', certificates: ['hello'] }), /certificates\/0/],
  [
    'a certificate for more than time-stamps',
    () => ({ url: 'http://tsa/', certificates: [plain] }),
    /certificates\/0: .*alone/,
  ],
  ['an unknown member', () => ({ url: 'http://tsa/', certificates: [tsa], colour: 1 }), /colour/],
])('with %s are refused', async (_what, body, detail) => {
  const answer = await put('Bad', body())
  expect(answer.body.code).toBe('admin.invalid')
  expect(answer.body.detail).toMatch(detail)
})

it('whose certificate has ended are refused', async () => {
  const { pems } = await createAuthority('Old', new Date('1990-01-01'))
  const { body } = await put('Old', { url: 'http://tsa/', certificates: pems.slice(0, 1) })
  expect(body.code).toBe('certificate.expired')
})
