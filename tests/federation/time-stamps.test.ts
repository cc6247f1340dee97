/** A log that is stamped while exchanges run, and proved by the command of docs/verify.md. */
import { execFile } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { chainOf } from '../../exchange-log/validation-chain.ts'
import { openSqliteValidationStore } from '../../exchange-log/validation-store-sqlite.ts'
import { parseCertificate } from '../../pki/certificate.ts'
import { verifyOcspResponse } from '../../pki/ocsp-verify.ts'
import { parseCheckpoint } from '../../protocol/checkpoint.ts'
import { parseJws } from '../../protocol/jws.ts'
import { openssl } from '../pki/support.ts'
import { REGISTRY, startFederation, type Federation } from '../support/federation.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import {
  startTimeStampingServer,
  type TimeStampingServer,
} from '../support/time-stamping-server.ts'

const run = promisify(execFile)
const ROOT = join(import.meta.dirname, '..', '..')
const timeStamping = {
  intervalSeconds: 1,
  limitMinutes: 240,
  refuseAtLimit: false,
  authorities: [],
}

let federation: Federation
let server: TimeStampingServer
beforeAll(async () => {
  server = await startTimeStampingServer()
  federation = await startFederation({ client: { timeStamping }, provider: { timeStamping } })
})
afterAll(async () => {
  await federation[Symbol.asyncDispose]()
  await server[Symbol.asyncDispose]()
})

async function spean(...args: string[]): Promise<string> {
  const profile = join(federation.dir, 'spean.json')
  const command = [join(ROOT, 'cli/main.ts'), '--profile', profile, ...args]
  const { stdout } = await run(process.execPath, command, { cwd: federation.dir })
  return stdout
}

function writeProfile(): void {
  const { dir, ca, provider } = federation
  const token = join(dir, 'provider.token')
  writePrivateFile(token, provider.running.adminToken)
  writeFileSync(join(dir, 'ca.pem'), ca)
  const gateways = {
    provider: { url: `https://127.0.0.1:${provider.running.ports.admin}`, tokenFile: token },
  }
  const profile = { instance: 'KH-TEST', caFile: join(dir, 'ca.pem'), gateways }
  writeFileSync(join(dir, 'spean.json'), JSON.stringify(profile))
}

interface Status {
  timeStamping: { state: string; lastTsa?: string; fault?: { code: string } }
}

const status = async (): Promise<Status['timeStamping']> =>
  (await federation.provider.admin.call<Status>('GET', '/admin/status')).timeStamping

it('without an authority in the catalogue, gateways exchange, and say that no one stamps', async () => {
  expect((await federation.call(`/r1/${REGISTRY}/echo/x`)).status).toBe(200)
  await expect
    .poll(async () => (await status()).fault?.code, { timeout: 5000 })
    .toBe('timestamp.none-configured')
  writeProfile()
  const { stdout } = await run(process.execPath, [
    join(ROOT, 'cli/main.ts'),
    '--profile',
    join(federation.dir, 'spean.json'),
    'status',
  ]).catch((error: unknown) => error as { stdout: string })
  expect(stdout).toContain('the catalogue approves none')
})

it('one that is approved stamps everything, and openssl proves it', async () => {
  await federation.catalogueAdmin.call('PUT', '/admin/time-stamping-authorities/national', {
    url: server.url,
    certificates: [server.tsa.root.pem],
  })
  await federation.settled()
  await expect.poll(async () => (await status()).lastTsa, { timeout: 5000 }).toBe('national')
  const before = JSON.parse(await spean('log', 'stamps', '--json')) as {
    stamps: { size: number }[]
  }
  expect((await federation.call(`/r1/${REGISTRY}/echo/x`)).status).toBe(200)
  const newest = async (): Promise<number> => {
    const path = '/admin/time-stamps?limit=1'
    const answer = await federation.provider.admin.call<typeof before>('GET', path)
    return answer.stamps[0]?.size ?? 0
  }
  await expect.poll(newest, { timeout: 5000 }).toBeGreaterThan(before.stamps[0]!.size)
  const list = await spean('log', 'stamps')
  expect(list).toMatch(/^UP TO +TIME +AUTHORITY +SERIAL\n/)
  expect(list).toContain('national')

  copyFileSync(join(server.tsa.folder, 'root.pem'), join(federation.dir, 'tsa-root.pem'))
  for (const position of ['1', 'last']) {
    await spean('log', 'stamp', position, '--out', 'stamp.tst')
    const at = (file: string): string => join(federation.dir, file)
    const verify = ['ts', '-verify', '-data', at('stamp.tst.data'), '-in', at('stamp.tst')]
    const proof = await openssl([...verify, '-token_in', '-CAfile', at('tsa-root.pem')])
    expect(proof.output).toContain('Verification: OK')
    const show = ['-in', at('stamp.tst'), '-token_in', '-token_out', '-text']
    expect((await openssl('ts', '-reply', ...show)).output).toMatch(/\nTime stamp: .* GMT\n/)
    const data = readFileSync(at('stamp.tst.data'), 'utf8')
    expect(data).toMatch(/^spean\/KH-TEST\/GOV\/REG\/REG-1\/log\n\d+\n[\w+/]{43}=\n$/)
    const checkpoint = readFileSync(at('stamp.tst.checkpoint'), 'utf8')
    expect(parseCheckpoint(checkpoint).note.text).toBe(data)
    writeFileSync(at('stamp.tst.data'), data.replace('GOV', 'G0V'))
    const refused = await openssl([...verify, '-token_in', '-CAfile', at('tsa-root.pem')])
    expect(refused.exitCode).toBe(1)
  }
})

it('what signatures were judged by is kept at both gateways, chains up to the root', async () => {
  const answer = await federation.call(`/r1/${REGISTRY}/echo/x`)
  expect(answer.status).toBe(200)
  const id = String(answer.headers['x-road-request-id'])
  for (const gateway of [federation.client, federation.provider]) {
    const path = join(gateway.config.stateDir, 'log-validation.db')
    await using validation = openSqliteValidationStore(path)
    const records = await gateway.entries(id)
    const manifests = records.flatMap(({ manifest }) => manifest ?? [])
    const signers = new Set(manifests.map((jws) => parseJws(jws).header['x5t#S256']))
    expect(signers.size).toBe(2) // its own and the other's
    for (const thumbprint of signers) {
      const kept = () => validation.ocspAnswer(thumbprint, new Date())
      await expect.poll(kept, { timeout: 5000 }).toBeDefined()
      const chain = await chainOf(validation, thumbprint, new Date())
      const [leaf, issuing, root] = chain.map(parseCertificate)
      expect(chain).toHaveLength(3)
      expect(root!.subjectDer).toEqual(root!.issuerDer)
      const ocsp = (await kept())!
      const expected = { certificate: leaf!, issuer: issuing!, at: ocsp.producedAt }
      expect(verifyOcspResponse(ocsp.der, expected)).toMatchObject({ status: 'good' })
    }
    const tsa = await chainOf(validation, server.tsa.certificate.thumbprint, new Date())
    expect(tsa).toEqual([server.tsa.certificate.der, server.tsa.root.der])
  }
})

it('a position that no token covers is told with the newest one that is', async () => {
  const answer = federation.provider.admin.call('GET', '/admin/time-stamps/999999')
  await expect(answer).rejects.toMatchObject({
    code: 'admin.not-found',
    message: expect.stringMatching(/^no time-stamp covers position 999999; the newest/) as string,
  })
  for (const path of [
    '/admin/time-stamps/0',
    '/admin/time-stamps/x',
    '/admin/time-stamps?limit=0',
  ]) {
    await expect(federation.provider.admin.call('GET', path)).rejects.toMatchObject({
      code: 'admin.invalid',
    })
  }
})
