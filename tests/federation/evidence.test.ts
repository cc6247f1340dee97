/** Evidence as it is asked for: of what is there, of what is not there yet, and of what was erased. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { writePrivateFile } from '../../runtime/private-file.ts'
import { BANK, REGISTRY } from '../support/federation.ts'
import { filesOf } from '../judges/evidence-archive.ts'
import { judge, startJudged, unpack, type Judged } from '../judges/evidence-support.ts'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '..', '..')

let judged: Judged
let folder: string
beforeAll(async () => {
  judged = await startJudged({ stamps: 'other' })
  folder = mkdtempSync(join(tmpdir(), 'spean-evidence-'))
  const { client, ca } = judged.federation
  writePrivateFile(join(folder, 'token'), client.running.adminToken)
  writeFileSync(join(folder, 'ca.pem'), ca)
  writeFileSync(join(folder, 'roots.pem'), ca + judged.tsa.tsa.root.pem)
  const url = `https://127.0.0.1:${client.running.ports.admin}`
  const profile = {
    instance: 'KH-TEST',
    caFile: join(folder, 'ca.pem'),
    gateways: { bank: { url, tokenFile: join(folder, 'token') } },
  }
  writeFileSync(join(folder, 'spean.json'), JSON.stringify(profile))
}, 30_000)
afterAll(async () => {
  await judged[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

async function spean(...args: string[]): Promise<{ status: number; printed: string }> {
  const command = [join(ROOT, 'cli/main.ts'), '--profile', join(folder, 'spean.json'), ...args]
  try {
    const { stdout, stderr } = await run(process.execPath, command, { cwd: folder })
    return { status: 0, printed: stdout + stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { status: code, printed: stdout + stderr }
  }
}

interface Described {
  side: string
  records: { part: string; kept?: string }[]
  absent: { what: string; reason: string; detail: string }[]
  others: object[]
}
const describedIn = (files: ReadonlyMap<string, Buffer>): Described =>
  JSON.parse(files.get('exchange.json')!.toString()) as Described

it('is fetched and verified by the command, by the roots that one trusts', async () => {
  const id = await judged.exchange()
  expect(await spean('evidence', 'get', id, '-g', 'bank', '-o', 'e.zip')).toMatchObject({
    status: 0,
  })
  const own = await spean('evidence', 'verify', 'e.zip')
  expect(own.status).toBe(0)
  expect(own.printed).toContain('These keys are from the archive itself')
  const files = await filesOf(readFileSync(join(folder, 'e.zip')))
  writeFileSync(join(folder, 'policy'), files.get('policy')!)
  const trusted = ['--anchor', 'roots.pem', '--policy', 'policy']
  const pinned = await spean('evidence', 'verify', 'e.zip', ...trusted)
  expect(pinned).toMatchObject({ status: 0 })
  expect(pinned.printed).not.toContain('from the archive itself')
  const wrong = await spean('evidence', 'verify', 'e.zip', '--anchor', 'ca.pem', '--json')
  expect(wrong.status).toBe(1)
  const { checks } = JSON.parse(wrong.printed) as { checks: { code?: string }[] }
  expect(checks.at(-1)?.code).toBe('evidence.anchor-unknown')
  expect((await spean('evidence', 'verify', 'none.zip')).status).toBe(2)
  expect((await spean('evidence', 'verify', 'e.zip', '--policy', 'e.zip')).status).toBe(2)
}, 90_000)

it('of one side of an exchange is as good as that of the other', async () => {
  const id = await judged.exchange()
  const { provider } = judged.federation
  const chunks: Buffer[] = []
  for await (const chunk of await provider.admin.download(`/evidence/${id}?side=provider`)) {
    chunks.push(chunk as Buffer)
  }
  const files = await filesOf(Buffer.concat(chunks))
  expect(describedIn(files).side).toBe('provider')
  expect((await judge(unpack(files))).status).toBe(0)
  const none = provider.admin.download(`/evidence/${id}?side=client`)
  await expect(none).rejects.toMatchObject({ code: 'admin.not-found' })
}, 90_000)

it('of an exchange that nobody knows, and with a parameter that nobody knows, is refused', async () => {
  const { admin } = judged.federation.client
  for (const [path, code] of [
    ['/evidence/00000000-0000-0000-0000-000000000000', 'admin.not-found'],
    ['/evidence/..%2F..%2Fetc', 'admin.not-found'],
    [`/evidence/00000000-0000-0000-0000-000000000000?sides=x`, 'admin.invalid'],
    [`/evidence/00000000-0000-0000-0000-000000000000?side=x`, 'admin.invalid'],
  ] as const) {
    await expect(admin.download(path)).rejects.toMatchObject({ code })
  }
})

it('of a refusal proves that it was refused', async () => {
  const { federation } = judged
  const { headers, status } = await federation.call(`/r1/${REGISTRY}/nothing`)
  expect(status).toBe(404)
  const id = String(headers['x-road-request-id'])
  const files = await filesOf(await judged.evidence(id))
  expect(files.has('refusal/record.json')).toBe(true)
  const record = JSON.parse(files.get('refusal/record.json')!.toString()) as object
  expect(record).toMatchObject({ kind: 'refusal', client: BANK, code: 'service.unknown' })
  const { status: judgement, printed } = await judge(unpack(files))
  expect({ judgement, printed }).toMatchObject({ judgement: 0 })
  writeFileSync(join(folder, 'refusal.zip'), await judged.evidence(id))
  expect(await spean('evidence', 'verify', 'refusal.zip')).toMatchObject({ status: 0 })
}, 90_000)

it('whose content was erased says so, and proves all the rest', async () => {
  const id = await judged.exchange('a secret')
  const { admin } = judged.federation.client
  await admin.call('POST', `/admin/log/${id}/erasure`, { reason: 'asked by the person' })
  const archive = await judged.evidence(id)
  expect(archive.includes('a secret')).toBe(false)
  const files = await filesOf(archive)
  const { absent } = describedIn(files)
  expect(absent.map(({ what, reason }) => `${what} ${reason}`).sort()).toEqual([
    'request/body erased',
    'request/headers erased',
    'response/body erased',
    'response/headers erased',
  ])
  expect(files.has('erasure/record.json')).toBe(true)
  expect((await judge(unpack(files))).status).toBe(0)
  writeFileSync(join(folder, 'erased.zip'), archive)
  const verified = await spean('evidence', 'verify', 'erased.zip')
  expect(verified.status).toBe(0)
  expect(verified.printed).toContain('request/body: erased; the manifest has its digest')
}, 90_000)

it('that lacks its time-stamp is refused, and is given as incomplete to whoever takes it so', async () => {
  judged.tsa.serve(undefined)
  const id = await judged.exchange()
  const { admin } = judged.federation.client
  await expect(admin.download(`/evidence/${id}`)).rejects.toMatchObject({
    code: 'evidence.incomplete',
    message: expect.stringMatching(/^time-stamp.tst: .* since \d{4}-/) as string,
  })
  const refused = await spean('evidence', 'get', id, '-g', 'bank', '-o', 'part.zip')
  expect(refused.status).toBe(1)
  expect(refused.printed).toContain('--allow-incomplete')
  const allowed = ['--allow-incomplete', '-g', 'bank', '-o', 'part.zip']
  expect(await spean('evidence', 'get', id, ...allowed)).toMatchObject({ status: 0 })
  const verified = await spean('evidence', 'verify', 'part.zip')
  expect(verified.status).toBe(3)
  expect(verified.printed).toMatch(/− time-stamp.tst: missing/)
  const files = await filesOf(readFileSync(join(folder, 'part.zip')))
  const { status, printed } = await judge(unpack(files))
  expect(status).toBe(0)
  expect(printed).toContain('PROVED WHAT IS HERE; INCOMPLETE')
}, 120_000)
