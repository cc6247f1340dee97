/**
 * Peak memory of both gateways while a large body passes, beside that for a small one:
 * npm run bench:memory [-- MEGABYTES ...]
 */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request as httpRequest, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { sandboxFiles } from '../examples/sandbox/config-files.ts'
import { sandboxPlan } from '../examples/sandbox/plan.ts'
import { adminOf } from '../examples/sandbox/provision.ts'
import { startSandbox } from '../examples/sandbox/sandbox.ts'
import { listen } from '../runtime/lifecycle.ts'

const MEGABYTE = 1_000_000
const CLIENT = 'KH-DEV/COM/MEKONGBANK/KYC'
const PATH = '/r1/KH-DEV/GOV/NCDD/GAZETTEER/bulk'
const OFFSET = 30_000
const sizes = process.argv.slice(2).map(Number)
const wanted = sizes.length > 0 ? sizes : [1, 200, 1000]

/** The same bytes for the same size, made as they are read. */
function* bytesOf(size: number): Generator<Buffer> {
  const block = createHash('shake256', { outputLength: 65_536 }).update('bulk').digest()
  for (let left = size; left > 0; left -= block.length) {
    yield left >= block.length ? block : block.subarray(0, left)
  }
}

async function digestOf(stream: AsyncIterable<Buffer> | Iterable<Buffer>): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of stream) hash.update(chunk)
  return hash.digest('hex')
}

async function startBulkService() {
  const server = createServer((request, response) => {
    const size = Number(new URL(request.url ?? '', 'http://x').searchParams.get('size'))
    const answer = async (): Promise<void> => {
      if (request.method === 'GET') await pipeline(Readable.from(bytesOf(size)), response)
      else response.end(await digestOf(request as AsyncIterable<Buffer>))
    }
    answer().catch(() => response.destroy())
  })
  return listen(server, 0)
}

function call(port: number, method: string, size: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = {
      'x-road-client': CLIENT,
      ...(method === 'POST' ? { 'content-length': size } : {}),
    }
    const options = { host: '127.0.0.1', port, method, path: `${PATH}?size=${size}`, headers }
    const request = httpRequest(options, (response: IncomingMessage) => {
      if (response.statusCode === 200 && method === 'GET') digestOf(response).then(resolve, reject)
      else {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('end', () => resolve(Buffer.concat(chunks).toString('utf8')))
      }
    })
    request.on('error', reject)
    if (method === 'POST') pipeline(Readable.from(bytesOf(size)), request).catch(reject)
    else request.end()
  })
}

/** Peak resident memory since the last reset, in megabytes (proc_pid_status(5), VmHWM). */
const peakOf = (pid: number): number =>
  Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1000
const resetPeak = (pid: number): void => writeFileSync(`/proc/${pid}/clear_refs`, '5')

const dir = mkdtempSync(join(tmpdir(), 'spean-memory-'))
const data = join(import.meta.dirname, '..', 'examples', 'sandbox', 'data', 'provinces.csv')
const plan = sandboxPlan({ dir, offset: OFFSET, data })
await using bulk = await startBulkService()
await using sandbox = await startSandbox(plan, { fresh: true, progress: () => undefined })
const ncdd = plan.gateways.find(({ name }) => name === 'ncdd')!
const bank = plan.gateways.find(({ httpPort }) => httpPort !== 0)!
const files = sandboxFiles(dir)
{
  await using catalogue = adminOf(plan, plan.cataloguePort, files.catalogue.token)
  await using admin = adminOf(plan, ncdd.adminPort, files.gateway('ncdd').token)
  const path = '/admin/services/GOV/NCDD/GAZETTEER/bulk'
  await catalogue.call('PUT', path, { title: 'bulk' })
  await admin.call('PUT', path, { url: `http://127.0.0.1:${bulk.port}/` })
  const service = 'KH-DEV/GOV/NCDD/GAZETTEER/bulk'
  await admin.call('POST', '/admin/grants', { subject: CLIENT, service })
}
const pidOf = (name: string): number => sandbox.programs.find((p) => p.name === name)!.pid
const gateways = { client: pidOf('gateway-mekongbank'), provider: pidOf('gateway-ncdd') }

const knowsService = async (): Promise<boolean> =>
  (await call(bank.httpPort, 'POST', 1).catch(() => '')) === (await digestOf(bytesOf(1)))
while (!(await knowsService())) await new Promise((done) => setTimeout(done, 100))
// Both gateways are warm, before anything is measured.
for (let i = 0; i < 50; i += 1) {
  await call(bank.httpPort, 'POST', MEGABYTE)
  await call(bank.httpPort, 'GET', MEGABYTE)
}
console.log(
  'body MB  direction  byte-exact  MB/s  client gateway peak MB  provider gateway peak MB',
)
for (const megabytes of wanted) {
  for (const method of ['POST', 'GET']) {
    for (const pid of Object.values(gateways)) resetPeak(pid)
    const size = megabytes * MEGABYTE
    const begun = performance.now()
    const digest = await call(bank.httpPort, method, size)
    const seconds = (performance.now() - begun) / 1000
    const exact = digest === (await digestOf(bytesOf(size)))
    const cells = [
      String(megabytes).padEnd(7),
      (method === 'POST' ? 'upload' : 'download').padEnd(9),
      (exact ? 'yes' : `NO ${digest}`).padEnd(10),
      (megabytes / seconds).toFixed(0).padEnd(4),
      peakOf(gateways.client).toFixed(0).padEnd(22),
      peakOf(gateways.provider).toFixed(0),
    ]
    console.log(cells.join('  '))
    if (!exact) process.exitCode = 1
  }
}
rmSync(dir, { recursive: true, force: true })
