import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readGatewayConfig } from '../../gateway/config.ts'
import { startGateway } from '../../gateway/server.ts'
import { createApiClient, type ApiClient } from '../../runtime/api-client.ts'
import { createLogger } from '../../runtime/logger.ts'
import { committedDescription, describedClient } from '../support/described-api.ts'
import { INSTANCE, startFederation, type Federation } from '../support/federation.ts'
import { freePort } from '../support/http.ts'

const MAIN = join(import.meta.dirname, '..', '..', 'cli', 'main.ts')

let f: Federation
let authority: ApiClient
let port: number
beforeAll(async () => {
  f = await startFederation()
  const { adminUrl, adminToken } = f.authority
  authority = describedClient(
    createApiClient({ url: adminUrl, token: adminToken, ca: f.ca }),
    committedDescription('authority'),
  )
  await f.catalogueAdmin.call('PUT', '/admin/members/GOV/MOT', { name: 'Tourism' })
  await f.catalogueAdmin.call('PUT', '/admin/subsystems/GOV/MOT/LICENCES', { name: 'Licences' })
}, 60_000)
afterAll(async () => {
  await authority[Symbol.asyncDispose]()
  await f[Symbol.asyncDispose]()
})
let dir: string
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'enroll-'))
  port = await freePort()
  return () => rmSync(dir, { recursive: true })
})

async function code(gateway: string, member = 'MOT'): Promise<string> {
  const identity = { memberClass: 'GOV', member }
  const orders = [
    { kind: 'authentication', identity: { ...identity, gateway }, subjectAltNames: ['127.0.0.1'] },
    { kind: 'signing', identity },
  ]
  return (await authority.call<{ code: string }>('POST', '/admin/codes', { orders })).code
}

interface Outcome {
  readonly exitCode: number
  readonly said: string
}
function enroll(
  gateway: string,
  { given, more = [] }: { given?: string; more?: readonly string[] } = {},
): Promise<Outcome> {
  const args = [
    ...['enroll', '--authority', f.authority.estUrl, '--anchor', f.catalogue.anchorFile],
    ...['--gateway', `${INSTANCE}/GOV/MOT/${gateway}`, '--address', `https://127.0.0.1:${port}`],
    ...['--client', 'LICENCES', '--dir', dir, '--wait', '0', ...more],
  ]
  const env = { ...process.env, SPEAN_ENROLMENT_CODE: given ?? '' }
  return new Promise((done) => {
    execFile(process.execPath, [MAIN, ...args], { env }, (error, stdout, stderr) =>
      done({ exitCode: error ? Number(error.code) : 0, said: stdout + stderr }),
    )
  })
}
const digestOf = (name: string): string =>
  createHash('sha256')
    .update(readFileSync(join(dir, name)))
    .digest('hex')
const listed = async (gateway: string): Promise<number> => {
  const path = `/admin/gateways/GOV/MOT/${gateway}`
  return f.catalogueAdmin
    .call<{ certificates: unknown[] }>('GET', path)
    .then(({ certificates }) => certificates.length)
    .catch(() => 0)
}

describe('spean enroll', () => {
  it('makes a gateway that starts and renews itself; and run again, changes nothing', async () => {
    const first = await enroll('MOT-1', { given: await code('MOT-1') })
    expect(first).toMatchObject({ exitCode: 0 })
    for (const line of [
      /authority .* answers/,
      /clock .* agrees/,
      /catalogue .* answers for KH-TEST/,
      /port .* is free here/,
      /authentication +certificate issued/,
      /signing +certificate issued/,
      /start it: +node gateway\/main\.ts .*gateway\.json/,
    ]) {
      expect(first.said).toMatch(line)
    }
    expect(readdirSync(dir).toSorted()).toEqual([
      'anchor.json',
      'authentication.key',
      'authentication.pem',
      'gateway.json',
      'signing.key',
      'signing.pem',
    ])
    expect(statSync(join(dir, 'signing.key')).mode & 0o077).toBe(0)
    expect(await listed('MOT-1')).toBe(1)

    const names = readdirSync(dir)
    const before = names.map(digestOf)
    const number = f.catalogue.snapshotNumber()
    const again = await enroll('MOT-1')
    expect(again).toMatchObject({ exitCode: 0 })
    expect(again.said).toMatch(/certificate is there/)
    expect(names.map(digestOf)).toEqual(before)
    expect(f.catalogue.snapshotNumber()).toBe(number)

    const config = readGatewayConfig(join(dir, 'gateway.json'))
    expect(config).toMatchObject({ enrolment: { url: f.authority.estUrl }, peers: { port } })
    const closed = { host: '127.0.0.1', httpPort: 0, httpsPort: 0 }
    const admin = { host: '127.0.0.1', port: 0 }
    await using running = await startGateway(
      { ...config, informationSystems: closed, admin },
      { logger: createLogger('test') },
    )
    const url = `https://127.0.0.1:${running.ports.admin}`
    await using api = createApiClient({ url, token: running.adminToken, ca: f.ca })
    const status = await api.call<{ certificates: { active: boolean }[] }>('GET', '/admin/status')
    expect(status.certificates.map(({ active }) => active)).toEqual([true, true])
  })

  it('keeps what it asked for, and collects it when it is run again', async () => {
    const given = await code('MOT-2')
    const refused = await enroll('MOT-2', {
      given,
      more: ['--gateway', `${INSTANCE}/GOV/MOT/MOT-2`],
    })
    expect(refused.exitCode).toBe(0)
    // As a run that was cut off after the answer left the authority.
    const request = join(dir, 'authentication.csr')
    rmSync(join(dir, 'authentication.pem'))
    expect(existsSync(request)).toBe(false)
    const again = await enroll('MOT-2', { given })
    expect(again).toMatchObject({ exitCode: 1 })
    expect(again.said).toMatch(/enrolment\.code-used/)
    expect(existsSync(request)).toBe(true)
    const other = await enroll('MOT-2', { given: await code('MOT-2') })
    expect(other).toMatchObject({ exitCode: 0 })
    expect(existsSync(request)).toBe(false)
  })

  it('replaces keys and certificates when asked to, and keeps the old ones', async () => {
    expect(await enroll('MOT-7', { given: await code('MOT-7') })).toMatchObject({ exitCode: 0 })
    const old = digestOf('authentication.key')
    const config = digestOf('gateway.json')
    const more = ['--replace']
    const refused = await enroll('MOT-7', { given: 'not-a-code', more })
    expect(refused.said).toMatch(/enrolment\.code-invalid/)
    // The first try has put them aside: the next one goes on.
    expect(await enroll('MOT-7', { given: await code('MOT-7'), more })).toMatchObject({
      exitCode: 0,
    })
    expect(digestOf('authentication.key')).not.toBe(old)
    expect(digestOf('authentication.key.old')).toBe(old)
    expect(digestOf('gateway.json')).toBe(config)
    expect(await listed('MOT-7')).toBe(2)
  })

  it('refuses a wrong code with its remedy, and leaves nothing registered', async () => {
    const { exitCode, said } = await enroll('MOT-3', { given: 'not-a-code' })
    expect(exitCode).toBe(1)
    expect(said).toMatch(/refused \(enrolment\.code-invalid\)/)
    expect(said).toMatch(/spean ca code add/)
    expect(await listed('MOT-3')).toBe(0)
  })

  it('says that a code is for another gateway', async () => {
    const { exitCode, said } = await enroll('MOT-4', { given: await code('MOT-5') })
    expect(exitCode).toBe(1)
    expect(said).toMatch(/enrolment\.identity-mismatch/)
  })

  it.each<[string, () => string[], RegExp]>([
    [
      'an authority that is not there',
      () => ['--authority', 'https://127.0.0.1:1'],
      /nothing listens there/,
    ],
    [
      'an authority of another instance',
      () => {
        const anchor = join(dir, 'other.json')
        const content = JSON.parse(readFileSync(f.catalogue.anchorFile, 'utf8')) as object
        const foreign = readFileSync(join(import.meta.dirname, 'foreign-root.pem'), 'utf8')
        writeFileSync(anchor, JSON.stringify({ ...content, rootCertificates: [foreign] }))
        return ['--anchor', anchor]
      },
      /leads to none of the roots in the anchor/,
    ],
    [
      'a catalogue that is not there',
      () => {
        const anchor = join(dir, 'other.json')
        const content = JSON.parse(readFileSync(f.catalogue.anchorFile, 'utf8')) as object
        writeFileSync(anchor, JSON.stringify({ ...content, catalogueUrl: 'https://127.0.0.1:1' }))
        return ['--anchor', anchor]
      },
      /catalogue https:\/\/127\.0\.0\.1:1 of the anchor cannot be reached/,
    ],
  ])('says before a code is spent: %s', async (_name, more, expected) => {
    const { exitCode, said } = await enroll('MOT-6', { given: 'unspent', more: more() })
    expect(exitCode).toBe(1)
    expect(said).toMatch(expected)
    expect(existsSync(join(dir, 'authentication.key'))).toBe(false)
  })

  it.each([
    ['a gateway of another instance', ['--gateway', 'LA-TEST/GOV/MOT/MOT-1']],
    ['a client of another member', ['--client', 'KH-TEST/GOV/REG/POP']],
    ['an address that is none', ['--address', 'gw.example']],
    ['a name that is none', ['--name', 'two words']],
    ['a key that signs no messages', ['--key-kind', 'P-384']],
  ])('is used wrongly with %s', async (_name, more) => {
    expect(await enroll('MOT-7', { more })).toMatchObject({ exitCode: 2 })
  })

  it('waits for the operator, and goes on when it is run again', async () => {
    await using strict = await startFederation({ authority: { approval: true } })
    const api = createApiClient({
      url: strict.authority.adminUrl,
      token: strict.authority.adminToken,
      ca: strict.ca,
    })
    const was = { f, authority }
    f = strict
    authority = api
    try {
      const { catalogueAdmin } = strict
      await catalogueAdmin.call('PUT', '/admin/members/GOV/MOT', { name: 'Tourism' })
      await catalogueAdmin.call('PUT', '/admin/subsystems/GOV/MOT/LICENCES', { name: 'Licences' })
      const given = await code('MOT-1')
      for (const kind of ['authentication', 'signing']) {
        const waiting = await enroll('MOT-1', { given })
        expect(waiting.exitCode).toBe(1)
        expect(waiting.said).toMatch(new RegExp(`enrolment\\.pending.*\\n*.*${kind}`))
        const { requests } = await api.call<{ requests: { id: number; state: string }[] }>(
          'GET',
          '/admin/requests',
        )
        const pending = requests.find(({ state }) => state === 'pending')!
        await api.call('POST', `/admin/requests/${pending.id}/approve`)
      }
      expect(await enroll('MOT-1', { given })).toMatchObject({ exitCode: 0 })
    } finally {
      f = was.f
      authority = was.authority
      await api[Symbol.asyncDispose]()
    }
  })
})
