/** The commands, against a catalogue of their own: by exit code and by what they print. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startOpensslAuthority, type OpensslAuthority } from '../support/openssl-authority.ts'
import { speanIn, type Ended } from './apply-support.ts'
import { startTestCatalogue, type Running } from '../service-catalogue/support.ts'

const run = promisify(execFile)
const dir = mkdtempSync(join(tmpdir(), 'trust-services-'))
const at = (name: string): string => join(dir, name)
const MAIN = join(import.meta.dirname, '../../cli/main.ts')

let running: Running
let authority: OpensslAuthority
beforeAll(async () => {
  running = await startTestCatalogue()
  authority = await startOpensslAuthority(dir)
  const { catalogue } = running
  writeFileSync(at('ca.pem'), running.authority.root.certificate.pem)
  writeFileSync(at('token'), catalogue.adminToken, { mode: 0o600 })
  const endpoint = { url: catalogue.url, tokenFile: 'token' }
  const profile = { instance: 'KH-DEV', caFile: 'ca.pem', catalogue: endpoint, gateways: {} }
  writeFileSync(at('spean.json'), JSON.stringify(profile))
})
afterAll(async () => {
  await authority[Symbol.asyncDispose]()
  await running[Symbol.asyncDispose]()
  rmSync(dir, { recursive: true, force: true })
})

/** As a process, in a folder without a profile. */
async function spean(...args: string[]): Promise<Ended> {
  const { SPEAN_PROFILE: _, ...env } = process.env
  try {
    const { stdout, stderr } = await run(process.execPath, [MAIN, ...args], { cwd: dir, env })
    return { code: 0, out: stdout, err: stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, out: stdout, err: stderr }
  }
}
const known = (...args: string[]): Promise<Ended> => {
  // Its clock stands still; certificates are made as we go.
  running.clock.now = new Date()
  return speanIn(dir)(args)
}

const PROFILE = {
  instance: { attribute: '2.5.4.10', separator: '/', index: 0, pieces: 3 },
  memberClass: { attribute: '2.5.4.10', separator: '/', index: 2, pieces: 3 },
  member: { attribute: '2.5.4.3' },
}

it('an authority is approved with its profile, listed and removed', async () => {
  writeFileSync(at('profile.json'), JSON.stringify(PROFILE))
  const add = ['authority', 'add', 'national', at('root.pem'), at('intermediate.pem')]
  const terms = ['--subject-profile', at('profile.json'), '--ocsp-nonce', 'optional']
  const added = await known(...add, ...terms)
  expect([added.code, added.err]).toEqual([0, ''])
  const { authorities } = await running.snapshot()
  expect(authorities).toMatchObject([
    { name: 'national', subjectProfile: PROFILE, ocspNonce: 'optional' },
  ])
  expect((await known('authority', 'list')).out).toMatch(/national +2 +\S+ +its own +optional/)
  writeFileSync(at('bad.json'), JSON.stringify({ ...PROFILE, member: {} }))
  const refused = await known(...add, '--subject-profile', at('bad.json'))
  expect([refused.code, refused.err]).toEqual([
    1,
    expect.stringMatching(/subjectProfile\/member: write/),
  ])
  const none = await known('authority', 'add', 'x', at('profile.json'))
  expect([none.code, none.err]).toEqual([2, expect.stringMatching(/holds no PEM certificate/)])
})

it('a certificate is explained by what the catalogue says, and by less without it', async () => {
  const signing = await authority.issue(
    'signing',
    '/O=KH-DEV\\/GW1\\/GOV/CN=MOI',
    'signing',
    'P-256',
  )
  const unlisted = await known('cert', 'explain', signing.certificateFile)
  expect([unlisted.code, unlisted.out]).toEqual([
    1,
    expect.stringMatching(/catalogue does not list it/),
  ])
  await running.call('PUT', '/admin/members/GOV/MOI', { body: { name: 'Interior' } })
  const body = { certificate: signing.pem }
  await running.call('POST', '/admin/members/GOV/MOI/certificates', { body })
  const good = await known('cert', 'explain', signing.certificateFile)
  expect([good.code, good.out]).toEqual([
    0,
    expect.stringMatching(/listed for member KH-DEV\/GOV\/MOI/),
  ])
  expect(good.out).toMatch(/whose +KH-DEV\/GOV\/MOI\n/)
  const anchor = ['--anchor', running.catalogue.anchorFile]
  const asJson = await spean('--json', 'cert', 'explain', signing.certificateFile, ...anchor)
  expect([asJson.code, JSON.parse(asJson.out)]).toMatchObject([
    0,
    { good: true, facts: { whose: 'KH-DEV/GOV/MOI' } },
  ])
  const alone = await spean('cert', 'explain', signing.certificateFile, '--ca', at('root.pem'))
  expect([alone.code, alone.out]).toEqual([0, expect.stringMatching(/not known\n +Whose it is/)])
  const late = await known(
    'cert',
    'explain',
    signing.certificateFile,
    '--at',
    '2099-01-01T00:00:00Z',
  )
  expect([late.code, late.out]).toEqual([1, expect.stringMatching(/It ended \d+ days ago/)])
})

it.each([
  ['a missing file', ['nowhere.pem'], /nowhere\.pem: cannot be read/],
  ['a time that is none', ['spean.json', '--at', 'soon'], /write a time/],
  ['a port that is none', ['localhost:70000'], /70000 is no port/],
  ['a file without a root', ['spean.json', '--ca', 'spean.json'], /holds no root/],
  ['an anchor that is none', ['spean.json', '--anchor', 'spean.json'], /is no anchor/],
])('used wrongly it ends with 2: %s', async (_what, args, message) => {
  const { code, err } = await known('cert', 'explain', ...args)
  expect([code, err]).toEqual([2, expect.stringMatching(message)])
})

it('a time-stamping authority is registered in its order, listed and removed', async () => {
  const add = (name: string, ...rest: string[]): Promise<Ended> =>
    known('timestamper', 'add', name, `http://${name}.example/tsp`, at('tsa.pem'), ...rest)
  expect((await add('first')).code).toBe(0)
  expect((await add('second', '--order', '0')).code).toBe(0)
  const { timeStampingAuthorities } = await running.snapshot()
  expect(timeStampingAuthorities?.map(({ name }) => name)).toEqual(['second', 'first'])
  expect((await known('timestamper', 'list')).out).toMatch(/second .*\n.*first/)
  expect((await known('timestamper', 'remove', 'second')).code).toBe(0)
  expect((await known('timestamper', 'remove', 'second')).err).toMatch(/admin\.not-found/)
  const bad = await add('third', '--order', 'last')
  expect([bad.code, bad.err]).toEqual([1, expect.stringMatching(/order/)])
})
