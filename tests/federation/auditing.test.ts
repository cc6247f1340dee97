/** Auditors of a running gateway, by the command: what they see, and that it is seen what they asked. */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tileReader } from '../../exchange-log/tree-reader.ts'
import { openSqliteTreeStore } from '../../exchange-log/tree-store-sqlite.ts'
import { inclusionProof, leafHash, verifyInclusion } from '../../protocol/merkle-tree.ts'
import { createApiClient } from '../../runtime/api-client.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import {
  BANK,
  INSTANCE,
  REGISTRY,
  startFederation,
  type Federation,
} from '../support/federation.ts'
import { send } from '../support/http.ts'

const MAIN = join(import.meta.dirname, '../../cli/main.ts')
const NOGRANT = `${INSTANCE}/COM/BANK/NOGRANT`
const run = promisify(execFile)

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}
interface Summary {
  readonly exchangeId: string
  readonly client: string
  readonly outcome: string
}
let f: Federation
const at = (name: string): string => join(f.dir, name)
async function spean(...args: string[]): Promise<Ended> {
  try {
    const { stdout, stderr } = await run(process.execPath, [MAIN, ...args], { cwd: f.dir })
    return { code: 0, out: stdout, err: stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, out: stdout, err: stderr }
  }
}
const administrator = (...args: string[]): Promise<Ended> =>
  spean('--profile', at('admin.json'), ...args)
/** As an auditor whose token stands in a file of that name. */
const auditor = (name: string, ...args: string[]): Promise<Ended> => {
  const { admin } = f.provider.config
  const url = `https://127.0.0.1:${admin.port}`
  const gateways = { provider: { url, tokenFile: `${name}.token`, role: 'auditor' } }
  const profile = { instance: INSTANCE, caFile: at('root.pem'), gateways }
  writeFileSync(at(`${name}.json`), JSON.stringify(profile))
  return spean('--profile', at(`${name}.json`), ...args)
}
const callAs = (client: string, port: number, ...headers: string[]): Promise<unknown> =>
  send({ port, path: `/r1/${REGISTRY}/echo`, rawHeaders: ['X-Road-Client', client, ...headers] })

beforeAll(async () => {
  f = await startFederation()
  writePrivateFile(at('admin.token'), f.provider.running.adminToken)
  const url = `https://127.0.0.1:${f.provider.running.ports.admin}`
  const gateways = { provider: { url, tokenFile: 'admin.token' } }
  const profile = { instance: INSTANCE, caFile: at('root.pem'), gateways }
  writeFileSync(at('admin.json'), JSON.stringify(profile))
  await f.provider.admin.call('POST', '/admin/grants', {
    subject: REGISTRY,
    service: `${REGISTRY}/echo`,
  })
  const user = ['X-Road-UserId', 'KH1234', 'X-Road-Issue', '2026/117']
  for (let i = 0; i < 3; i += 1) await callAs(BANK, f.client.httpPort, ...(i === 0 ? user : []))
  for (let i = 0; i < 2; i += 1) await callAs(NOGRANT, f.client.httpPort)
  await callAs(REGISTRY, f.provider.httpPort)
})
afterAll(() => f[Symbol.asyncDispose]())

/** What a token's holder is shown; by the command where that is what is tested. */
async function list(who: 'administrator' | 'bank', query = ''): Promise<Summary[]> {
  if (who === 'administrator') {
    const path = `/admin/log?${query}`
    return (await f.provider.admin.call<{ exchanges: Summary[] }>('GET', path)).exchanges
  }
  await using api = createApiClient({
    url: `https://127.0.0.1:${f.provider.running.ports.admin}`,
    ca: f.ca,
    token: readFileSync(at('bank.token'), 'utf8').trim(),
  })
  const path = `/audit/exchanges?${query}`
  return (await api.call<{ exchanges: Summary[] }>('GET', path)).exchanges
}
const clients = (exchanges: readonly Summary[]): string[] => exchanges.map(({ client }) => client)

describe('an auditor limited to one member', () => {
  const bank = (...args: string[]): Promise<Ended> => auditor('bank', ...args)

  it('gets a token by spean auditor add, for its owner alone', async () => {
    const add = ['auditor', 'add', 'Sok Dara', '--within', 'COM/BANK', '--out', at('bank.token')]
    const { code, out } = await administrator(...add)
    expect(code).toBe(0)
    expect(out).toMatch(/scope +KH-TEST\/COM\/BANK\n/)
    expect(statSync(at('bank.token')).mode & 0o777).toBe(0o600)
    expect(out).not.toContain(readFileSync(at('bank.token'), 'utf8').trim())
    expect((await administrator('auditor', 'list')).out).toMatch(
      /^Sok Dara +active .* KH-TEST\/COM\/BANK$/m,
    )
    const neither = await administrator('auditor', 'add', 'Other')
    expect([neither.code, neither.err]).toEqual([2, expect.stringContaining('--all')])
  })

  it('sees the exchanges of that member, and no others', async () => {
    expect(clients(await list('administrator'))).toEqual([
      ...[REGISTRY, REGISTRY], // both sides of a call to itself
      ...[NOGRANT, NOGRANT, BANK, BANK, BANK],
    ])
    expect(clients(await list('bank'))).toEqual([NOGRANT, NOGRANT, BANK, BANK, BANK])
    expect(clients(await list('bank', 'outcome=ok'))).toEqual([BANK, BANK, BANK])
    expect(clients(await list('bank', 'code=access.denied'))).toEqual([NOGRANT, NOGRANT])
    expect(await list('bank', `client=${REGISTRY}`)).toEqual([])
    const named = ['--user', 'KH1234', '--case', '2026/117', '--client', 'COM/BANK/*']
    const found = await bank('--json', 'log', 'list', ...named)
    expect(clients((JSON.parse(found.out) as { exchanges: Summary[] }).exchanges)).toEqual([BANK])
    const [own] = await list('administrator', `client=${REGISTRY}`)
    expect(await list('bank', `id=${own!.exchangeId}`)).toEqual([])
    const refused = await bank('log', 'show', own!.exchangeId)
    expect([refused.code, refused.err]).toEqual([1, expect.stringMatching(/admin.not-found/)])
  })

  it('sees records with their manifests, and prints a page as CSV', async () => {
    const [answered] = await list('bank', 'outcome=ok')
    const { code, out } = await bank('log', 'show', answered!.exchangeId)
    expect([code, out]).toEqual([0, expect.stringMatching(/manifest \(signed, JWS\)/)])
    const csv = await bank('log', 'list', '--output', 'csv', '--limit', '2')
    const rows: Summary[] = parse(csv.out, { bom: true, columns: true })
    expect(clients(rows)).toEqual([NOGRANT, NOGRANT])
  })

  it('administers nothing, and is told so', async () => {
    for (const command of [
      ['auditor', 'list'],
      ['grant', 'list'],
      ['log', 'stamps'],
    ]) {
      const { code, err } = await bank(...command)
      expect([command, code, err]).toEqual([
        ...[command, 1],
        expect.stringMatching(/^refused \(admin.not-permitted\): .*\nAsk the administrator/),
      ])
    }
  })

  it('exports all of it to a file, with progress beside, or nothing', async () => {
    const { code, out, err } = await bank('log', 'export', '--format', 'csv', '-o', at('all.csv'))
    expect([code, out, err]).toEqual([0, '', expect.stringMatching(/^6 lines, \d+\.\d KB\n$/m)])
    const rows: Summary[] = parse(readFileSync(at('all.csv')), { bom: true, columns: true })
    expect(clients(rows)).toEqual([NOGRANT, NOGRANT, BANK, BANK, BANK])
    expect(statSync(at('all.csv')).mode & 0o777).toBe(0o600)
    const piped = await bank('log', 'export', '--outcome', 'ok')
    const lines = piped.out.trimEnd().split('\n')
    expect(clients(lines.map((line) => JSON.parse(line) as Summary))).toEqual([BANK, BANK, BANK])
    const nowhere = await bank('log', 'export', '-o', at('no/such/folder.csv'))
    expect([nowhere.code, nowhere.err]).toEqual([2, expect.stringMatching(/cannot be written/)])
    const wrong = await bank('log', 'export', '--from', 'yesterday', '-o', at('wrong.csv'))
    expect([wrong.code, wrong.err]).toEqual([1, expect.stringMatching(/admin.invalid/)])
    expect([existsSync(at('wrong.csv')), existsSync(at('wrong.csv.part'))]).toEqual([false, false])
  })

  it('gets the evidence of an exchange in its scope, and that is recorded', async () => {
    const [mine] = await list('bank', 'outcome=ok')
    const [other] = await list('administrator', `client=${REGISTRY}`)
    const get = (id: string): Promise<Ended> =>
      bank('evidence', 'get', id, '--allow-incomplete', '-o', at(`${id}.zip`))
    expect(await get(mine!.exchangeId)).toMatchObject({ code: 0 })
    const { out } = await spean('evidence', 'verify', at(`${mine!.exchangeId}.zip`), '--json')
    expect(JSON.parse(out)).toMatchObject({ verdict: 'incomplete' }) // nobody stamps here
    const refused = await get(other!.exchangeId)
    expect([refused.code, refused.err]).toEqual([1, expect.stringMatching(/admin.not-found/)])
    expect(existsSync(at(`${other!.exchangeId}.zip`))).toBe(false)
    for (const [{ exchangeId }, results] of [
      [mine!, 2],
      [other!, 0],
    ] as const) {
      const entries = await f.provider.entries(exchangeId)
      const asked = entries.findLast(({ kind }) => kind === 'query')
      expect([asked?.actor, JSON.parse(asked?.detail ?? '')]).toEqual([
        'Sok Dara',
        expect.objectContaining({
          query: 'evidence',
          parameters: { exchangeId, incomplete: 'allow' },
          results,
        }),
      ])
    }
  })

  it('draws a sample that another auditor draws again', async () => {
    const args = ['log', 'sample', '--size', '2', '--seed', 'published before', '--outcome', 'ok']
    const sample = await bank('--json', ...args)
    interface Drawn {
      readonly eligible: number
      readonly tree: { readonly size: number }
      readonly exchanges: Summary[]
    }
    const drawn = JSON.parse(sample.out) as Drawn
    expect([drawn.eligible, drawn.exchanges.length]).toEqual([3, 2])
    await administrator('auditor', 'add', 'all', '--all', '--out', at('all.token'))
    const size = ['--tree-size', String(drawn.tree.size), '--client', 'COM/BANK/*']
    const again = await auditor('all', '--json', ...args, ...size)
    expect((JSON.parse(again.out) as Drawn).exchanges).toEqual(drawn.exchanges)
    expect((await bank(...args)).out).toMatch(/root hash .*\n[\s\S]*TICKET +POSITION +TIME/)
  })

  it('leaves each of these questions in the log, and in its tree', async () => {
    const { ca, provider } = f
    const url = `https://127.0.0.1:${provider.running.ports.admin}`
    await using api = createApiClient({
      ...{ url, ca },
      token: readFileSync(at('bank.token'), 'utf8').trim(),
    })
    const asked = await api.call<{ recorded: { exchangeId: string; position: number } }>(
      ...['GET' as const, '/audit/exchanges?outcome=ok'],
    )
    const { exchangeId, position } = asked.recorded
    const entries = await provider.entries(exchangeId)
    expect(entries).toMatchObject([{ kind: 'query', actor: 'Sok Dara', position }])
    expect(JSON.parse(entries[0]?.detail ?? '')).toMatchObject({
      ...{ query: 'search', parameters: { outcome: 'ok' }, results: 3 },
    })
    await using tree = openSqliteTreeStore(join(provider.config.stateDir, 'log-tree.db'))
    await expect
      .poll(async () => (await tree.head())?.size ?? 0, { timeout: 3000 })
      .toBeGreaterThanOrEqual(position)
    const head = (await tree.head())!
    const proof = await inclusionProof(position - 1, head.size, tileReader(tree))
    const leaf = leafHash(Buffer.from(String(entries[0]?.commitment), 'base64'))
    verifyInclusion(proof, { index: position - 1, size: head.size, leaf }, head.rootHash)
  })

  it('is out from the moment on in which the administrator says so', async () => {
    expect((await administrator('auditor', 'remove', 'Sok Dara')).out).toBe('removed Sok Dara\n')
    const { code, err } = await bank('log', 'list')
    expect([code, err]).toEqual([1, expect.stringMatching(/admin.unauthenticated.*revoked/)])
    expect((await administrator('auditor', 'list')).out).toMatch(/^Sok Dara +revoked/m)
  })
})
