/** The sandbox and the spean command as a newcomer meets them: as processes, by what they print. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { CLIENT, portOffset, ROOT } from '../support/sandbox.ts'

const run = promisify(execFile)
const dir = mkdtempSync(join(tmpdir(), 'sandbox-'))
const home = join(dir, 'instance')
const offset = await portOffset()

interface Started {
  readonly child: ChildProcess
  readonly printed: () => string
}
let running: Started | undefined
afterAll(async () => {
  if (running) await stop(running, 'SIGINT')
  rmSync(dir, { recursive: true, force: true })
})

function launch(...args: string[]): Started {
  const child = spawn(
    process.execPath,
    ['examples/sandbox/main.ts', '--dir', home, '--port-offset', String(offset), ...args],
    { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] },
  )
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')))
  }
  return { child, printed: () => text }
}

async function start(...args: string[]): Promise<Started> {
  const started = launch(...args)
  while (!/^ready/m.test(started.printed())) {
    if (started.child.exitCode !== null) throw new TypeError(started.printed())
    await new Promise((done) => setTimeout(done, 20))
  }
  // The whole text, to its last line.
  while (!started.printed().includes('Ctrl-C')) await new Promise((done) => setTimeout(done, 5))
  return started
}

async function stop({ child }: Started, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal)
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
}

/** Runs a command that the sandbox printed, word for word, by a shell. */
const shell = async (command: string): Promise<string> =>
  (await run('sh', ['-c', command], { cwd: ROOT })).stdout
const printedCommands = (text: string): string[] =>
  text
    .replace(/\\\n\s+/g, ' ')
    .split('\n')
    .filter((line) => /^ {2}(curl|bin\/spean) /.test(line))
    .map((line) => line.trim())

/** The spean command with the sandbox's profile. */
async function spean(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = await run('bin/spean', ['--profile', join(home, 'spean.json'), ...args], {
    cwd: ROOT,
  }).catch((error: unknown) => error as { code: number; stdout: string; stderr: string })
  return { code: 'code' in child ? child.code : 0, stdout: child.stdout, stderr: child.stderr }
}
const parsed = async <T>(...args: string[]): Promise<T> =>
  JSON.parse((await spean('--json', ...args)).stdout) as T

describe('the sandbox', () => {
  it('starts, and every command that it prints works as printed', async () => {
    running = await start()
    const commands = printedCommands(running.printed())
    expect(commands).toHaveLength(7)
    const outputs: string[] = []
    for (const command of commands) outputs.push(await shell(command))
    const [http, clientLog, providerLog, , verified, mtls, checkpoint] = outputs
    expect(JSON.parse(http!)).toMatchObject({
      name_latin: 'Banteay Meanchey',
      name_km: 'បន្ទាយមានជ័យ',
    })
    expect(mtls).toBe(http)
    expect(clientLog).toContain('KH-DEV/GOV/NCDD/GAZETTEER/places')
    expect(providerLog).toContain('KH-DEV/COM/MEKONGBANK/KYC')
    expect(verified).toContain('Verified.')
    expect(checkpoint).toMatch(/^spean\/KH-DEV\/COM\/MEKONGBANK\/MEKONGBANK-1\/log\n\d+\n/)
  })

  it('keeps every key for its owner’s eyes only', () => {
    const files = readdirSync(home, { recursive: true, encoding: 'utf8' })
    const secrets = files.filter((file) => /\.(key|token)$/.test(file))
    expect(secrets.length).toBeGreaterThan(10)
    for (const file of secrets) expect(statSync(join(home, file)).mode & 0o077, file).toBe(0)
  })

  it('has a civil registry of people who do not exist', async () => {
    const url = `http://127.0.0.1:${8080 + offset}/r1/KH-DEV/GOV/MOI/CIVIL_REGISTRY/persons?limit=2`
    const answer = await fetch(url, { headers: { 'x-road-client': CLIENT } })
    const { items } = (await answer.json()) as { items: Record<string, string>[] }
    expect(items[0]).toHaveProperty('family_name_km')
    const description = url.replace(/persons.*/, 'getOpenAPI?serviceCode=persons')
    const openapi = await fetch(description, { headers: { 'x-road-client': CLIENT } })
    expect(await openapi.json()).toMatchObject({ openapi: '3.1.0' })
  })

  it('answers the metadata services of X-Road', async () => {
    const base = `http://127.0.0.1:${8080 + offset}`
    const get = async (path: string): Promise<unknown> =>
      (await fetch(`${base}${path}`, { headers: { 'x-road-client': CLIENT } })).json()
    expect(await get('/listClients')).toMatchObject({
      member: expect.arrayContaining([
        {
          id: {
            object_type: 'SUBSYSTEM',
            xroad_instance: 'KH-DEV',
            member_class: 'GOV',
            member_code: 'NCDD',
            subsystem_code: 'GAZETTEER',
          },
          name: expect.any(String) as string,
          subsystem_name: 'Gazetteer',
        },
      ]) as unknown,
    })
    for (const service of ['listMethods', 'allowedMethods']) {
      expect(await get(`/r1/KH-DEV/GOV/NCDD/GAZETTEER/${service}`)).toMatchObject({
        service: [{ service_code: 'places', service_type: 'OPENAPI', object_type: 'SERVICE' }],
      })
    }
  })

  it('cannot be started twice in one folder', async () => {
    const second = launch()
    await once(second.child, 'exit')
    expect(second.child.exitCode).toBe(1)
    expect(second.printed()).toContain('already running')
  })
})

describe('the spean command', () => {
  it('says that all is well, with exit code 0', async () => {
    const { code, stdout } = await spean('status')
    expect(stdout).toMatch(/authority +ok[\s\S]*catalogue +ok[\s\S]*moi +ok/)
    expect(code).toBe(0)
  })

  it('lists and filters the log, for people and for programs', async () => {
    const list = await parsed<{ exchanges: { exchangeId: string; outcome: string }[] }>(
      ...['log', 'list', '-g', 'ncdd', '--outcome', 'ok', '--limit', '1'],
    )
    expect(list.exchanges).toHaveLength(1)
    const id = list.exchanges[0]!.exchangeId
    const shown = await spean('log', 'show', id, '-g', 'mekongbank')
    expect(shown.stdout).toMatch(
      /── request[\s\S]*bodyDigest[\s\S]*── response[\s\S]*requestDigest/,
    )
    const none = await parsed<{ exchanges: unknown[] }>(
      ...['log', 'list', '-g', 'ncdd', '--client', 'KH-DEV/X*'],
    )
    expect(none.exchanges).toEqual([])
    const prefix = await parsed<{ exchanges: unknown[] }>(
      ...['log', 'list', '-g', 'ncdd', '--client', 'KH-DEV/COM/*', '--id', id],
    )
    expect(prefix.exchanges).toHaveLength(1)
  })

  it('registers a member, a subsystem and a service, connects it and grants access', async () => {
    const register = `http://127.0.0.1:${9002 + offset}/places`
    const steps = [
      ['member', 'add', 'ORG/TEMPLE', 'វត្តភ្នំ'],
      ['subsystem', 'add', 'GOV/NCDD/MAPS', 'Maps'],
      [
        'service',
        'add',
        'GOV/NCDD/GAZETTEER/again',
        'Places again',
        '--openapi',
        `http://127.0.0.1:${9002 + offset}/openapi.json`,
      ],
      ['service', 'connect', 'GOV/NCDD/GAZETTEER/again', register, '-g', 'ncdd'],
      [
        'grant',
        'add',
        CLIENT,
        'KH-DEV/GOV/NCDD/GAZETTEER/again',
        '-g',
        'ncdd',
        '--endpoint',
        'GET /*',
      ],
    ]
    for (const step of steps) expect(await spean(...step)).toMatchObject({ code: 0 })
    expect((await spean('member', 'list')).stdout).toContain('វត្តភ្នំ')
    const url = `http://127.0.0.1:${8080 + offset}/r1/KH-DEV/GOV/NCDD/GAZETTEER/again`
    const call = async (path: string): Promise<number> =>
      (await fetch(url + path, { headers: { 'x-road-client': CLIENT } })).status
    while ((await call('/02')) === 404) await new Promise((done) => setTimeout(done, 50))
    expect([await call('/02'), await call('')]).toEqual([200, 403])
    const { grants } = await parsed<{ grants: { id: string; service: string }[] }>(
      ...['grant', 'list', '-g', 'ncdd'],
    )
    const { id } = grants.find(({ service }) => service.endsWith('/again'))!
    expect((await spean('grant', 'remove', id, '-g', 'ncdd')).code).toBe(0)
    expect(await call('/02')).toBe(403)
  })

  it.each([
    [['log', 'list'], 2, 'which gateway? --gateway moi | ncdd | mekongbank'],
    [['log', 'list', '-g', 'nobody'], 2, 'no gateway nobody'],
    [['log', 'list', '-g', 'ncdd', '--outcome', 'fine'], 1, 'admin.invalid'],
    [['log', 'show', 'nothing', '-g', 'ncdd'], 1, 'admin.not-found'],
    [['member', 'add', 'GOV', 'x'], 2, 'write CLASS/MEMBER'],
    [
      ['service', 'add', 'GOV/NCDD/GAZETTEER/bad', 'x', '--openapi', '/nothing.json'],
      2,
      'cannot be read',
    ],
    [['nonsense'], 2, 'unknown command'],
  ] as [string[], number, string][])(
    '%j ends with code %i and says why',
    async (args, code, why) => {
      const { stderr, ...result } = await spean(...args)
      expect(result.code).toBe(code)
      expect(stderr).toContain(why)
      expect(stderr).not.toContain('.ts:')
    },
  )

  it('has help on every command', async () => {
    for (const args of [
      [],
      ['log', 'list'],
      ['grant', 'add'],
      ['adapter', 'csv'],
      ['service', 'connect'],
    ]) {
      const { code, stdout } = await spean(...args, '--help')
      expect(code).toBe(0)
      expect(stdout).toContain('Usage: spean')
    }
  })
})

describe('the sandbox, once more', () => {
  const root = (): string => readFileSync(join(home, 'root.pem'), 'utf8')

  it('stops on Ctrl-C, and goes on with the same keys and log', async () => {
    const before = root()
    const pids = (
      JSON.parse(readFileSync(join(home, 'running.json'), 'utf8')) as { programs: number[] }
    ).programs
    const places = 'GOV/NCDD/GAZETTEER/places'
    const set = ['--title', 'Villages', '--classification', 'public', '--validation', 'report']
    expect((await spean('service', 'set', places, ...set)).code).toBe(0)
    await stop(running!, 'SIGINT')
    expect(running!.child.exitCode).toBe(0)
    for (const pid of pids) expect(() => process.kill(pid, 0)).toThrow('ESRCH')
    running = await start()
    expect(root()).toBe(before)
    const { exchanges } = await parsed<{ exchanges: unknown[] }>('log', 'list', '-g', 'ncdd')
    expect(exchanges.length).toBeGreaterThan(3)
    const { service } = await parsed<{ service: object }>('service', 'show', places)
    const kept = { title: 'Villages', classification: 'public', validation: 'report' }
    expect(service).toMatchObject(kept)
  })

  it('goes on without a gateway that was killed, and says so; calls say what is wrong', async () => {
    const { programs } = JSON.parse(readFileSync(join(home, 'running.json'), 'utf8')) as {
      programs: number[]
    }
    const ncdd = programs.find((pid) =>
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('gateways/ncdd'),
    )
    process.kill(ncdd!, 'SIGKILL')
    while (!running!.printed().includes('gateway-ncdd has ended')) {
      await new Promise((done) => setTimeout(done, 20))
    }
    const url = `http://127.0.0.1:${8080 + offset}/r1/KH-DEV/GOV/NCDD/GAZETTEER/places/01`
    const answer = await fetch(url, { headers: { 'x-road-client': CLIENT } })
    expect(answer.status).toBe(502)
    expect(await answer.text()).toContain('(provider.unreachable)')
  })

  it('clears up after it was killed, and serves other data when told to', async () => {
    await stop(running!, 'SIGKILL')
    const file = join(dir, 'other.csv')
    writeFileSync(file, 'id,name_km\nx1,ភូមិ\n')
    running = await start('--data', file)
    const [curl] = printedCommands(running.printed())
    expect(JSON.parse(await shell(curl!))).toEqual({ id: 'x1', name_km: 'ភូមិ' })
  })

  it('does not start over in a folder that is no sandbox', async () => {
    const work = join(dir, 'work')
    mkdirSync(work)
    writeFileSync(join(work, 'thesis.txt'), 'years of it')
    const child = spawn(process.execPath, ['examples/sandbox/main.ts', '--fresh', '--dir', work], {
      cwd: ROOT,
      stdio: 'ignore',
    })
    expect(await once(child, 'exit')).toEqual([1, null])
    expect(readFileSync(join(work, 'thesis.txt'), 'utf8')).toBe('years of it')
  })

  it('starts over with --fresh', async () => {
    const before = root()
    await stop(running!, 'SIGINT')
    running = await start('--fresh')
    expect(root()).not.toBe(before)
  })
})
