/** A gateway's client and a catalogue, and between them a line that sees, and may alter, what is sent. */
import { cpSync, readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { Agent, request } from 'undici'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { openSnapshotClient, type SnapshotClient } from '../../gateway/catalogue/snapshot-client.ts'
import { verifySnapshot } from '../../protocol/snapshot.ts'
import {
  fromPlainSnapshot,
  PLAIN_SNAPSHOT_TYPE,
  toPlainSnapshot,
} from '../../protocol/snapshot-form.ts'
import { listen } from '../../runtime/lifecycle.ts'
import { compressDcz, decompressDcz } from '../../runtime/dictionary-zstd.ts'
import { startCatalogue } from '../../service-catalogue/server.ts'
import {
  readAnchor,
  startTestCatalogue,
  temporaryFolder,
  type Running,
} from '../service-catalogue/support.ts'
import { silent } from './support.ts'

interface Sent {
  readonly coding: string
  readonly etag: string
  readonly isDictionaryOffered: boolean
}
type Alter = (body: Buffer, coding: string) => Buffer | Promise<Buffer>

let running: Running
let line: Awaited<ReturnType<typeof openLine>>
const clients: SnapshotClient[] = []

beforeEach(async () => {
  running = await startTestCatalogue()
  line = await openLine(running)
})
afterEach(async () => {
  for (const client of clients.splice(0)) await client[Symbol.asyncDispose]()
  await line[Symbol.asyncDispose]()
  await running[Symbol.asyncDispose]()
})

async function openLine({ config, catalogue, authority }: Running) {
  const agent = new Agent({ connect: { ca: authority.root.certificate.pem } })
  const sent: Sent[] = []
  const state = { alter: ((body) => body) as Alter, url: catalogue.url, asked: 0 }
  const server = createServer(
    { cert: readFileSync(config.tlsCertificateFile), key: readFileSync(config.tlsKeyFile) },
    (asked, answer) => {
      const { host: _host, connection: _connection, ...given } = asked.headers
      const pass = async (): Promise<void> => {
        if (asked.url === '/snapshot') state.asked += 1
        const target = `${state.url}${asked.url}`
        const got = await request(target, { dispatcher: agent, headers: given })
        const { 'content-length': _length, connection: __, ...headers } = got.headers
        const coding = String(headers['content-encoding'] ?? 'identity')
        const body = Buffer.from(await got.body.arrayBuffer())
        const isDictionaryOffered = given['available-dictionary'] !== undefined
        if (got.statusCode === 200) {
          sent.push({ coding, etag: String(headers.etag), isDictionaryOffered })
        }
        answer.writeHead(got.statusCode, headers as Record<string, string>)
        answer.end(got.statusCode === 200 ? await state.alter(body, coding) : undefined)
      }
      pass().catch(() => answer.destroy())
    },
  )
  const { port, ...listening } = await listen(server, 0)
  return {
    ...{ state, sent, url: `https://127.0.0.1:${port}` },
    [Symbol.asyncDispose]: async () => {
      await listening[Symbol.asyncDispose]()
      await agent.destroy()
    },
  }
}

async function openClient(dir = temporaryFolder()): Promise<SnapshotClient> {
  const anchor = { ...readAnchor(running.catalogue.anchorFile), catalogueUrl: line.url }
  const options = { anchor, dir, pollSeconds: 20, clock: () => new Date(), logger: silent }
  const client = await openSnapshotClient(options)
  clients.push(client)
  return client
}
const putMember = (code: string): Promise<unknown> =>
  running.call('PUT', `/admin/members/GOV/${code}`, { body: { name: `Ministry ${code}` } })
const reaches = (client: SnapshotClient, number: number): Promise<void> =>
  vi.waitFor(() => expect(client.newest?.number).toBe(number), { timeout: 10_000, interval: 20 })

it('a gateway is told what is new, also after its own start and when nothing is', async () => {
  const dir = temporaryFolder()
  const client = await openClient(dir)
  await putMember('A')
  await reaches(client, 2)
  await putMember('B')
  await reaches(client, 3)
  expect(line.sent.map(({ coding }) => coding)).toEqual(['zstd', 'dcz', 'dcz'])
  await clients.pop()![Symbol.asyncDispose]()
  line.sent.length = 0
  const again = await openClient(dir)
  await vi.waitFor(() => expect(line.sent).toHaveLength(1), 10_000)
  expect(line.sent).toMatchObject([{ coding: 'dcz', isDictionaryOffered: true }])
  await vi.waitFor(() => expect(again.health.heardAt).toBeDefined(), 10_000)
  expect(again.health.fault).toBeUndefined()
})

it.each<[string, Alter]>([
  ['cut short', (body) => body.subarray(0, -2)],
  ['altered in the dictionary it names', (body) => flipped(body, 20)],
  ['altered in what is new', (body) => flipped(body, body.length - 6)],
  ['in another coding than it says', () => Buffer.from('nonsense')],
  [
    'of another signature',
    async (body) => {
      const base = toPlainSnapshot(lastWhole)
      const plain = await decompressDcz(body, base, 1e6)
      const [header, payload, signature = ''] = fromPlainSnapshot(plain).split('.')
      const forged = [header, payload, signature.replace(/^./, (c) => (c === 'A' ? 'B' : 'A'))]
      return compressDcz(toPlainSnapshot(forged.join('.')), base)
    },
  ],
])('what is new, %s, is not believed: the whole is fetched', async (_name, alter) => {
  const client = await openClient()
  lastWhole = (await running.call('GET', '/snapshot')).text
  line.state.alter = (body, coding) => (coding === 'dcz' ? alter(body, coding) : body)
  await putMember('A')
  await reaches(client, 2)
  const told = line.sent.map(({ coding, isDictionaryOffered }) => [coding, isDictionaryOffered])
  expect(told).toEqual([
    ['zstd', false],
    ['dcz', true],
    ['zstd', false],
  ])
  // And told again, once one was accepted.
  line.state.alter = (body) => body
  await putMember('B')
  await reaches(client, 3)
  expect(line.sent.at(-1)).toMatchObject({ coding: 'dcz' })
})
let lastWhole = ''

const flipped = (body: Buffer, at: number): Buffer => {
  const altered = Buffer.from(body)
  altered[at]! ^= 1
  return altered
}

it('a catalogue that forgot what the gateway has sends the whole', async () => {
  const client = await openClient()
  await running.catalogue[Symbol.asyncDispose]()
  {
    // It starts, changes and starts again: nobody asked it for what was between.
    await using _between = await startCatalogue(running.config, { logger: silent })
  }
  await using restarted = await startCatalogue(running.config, { logger: silent })
  line.state.url = restarted.url
  const { adminToken, url } = restarted
  const agent = new Agent({ connect: { ca: running.authority.root.certificate.pem } })
  const { statusCode } = await request(`${url}/admin/members/GOV/C`, {
    ...{ method: 'PUT', dispatcher: agent, body: JSON.stringify({ name: 'C' }) },
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
  })
  expect(statusCode).toBe(201)
  await agent.destroy()
  await reaches(client, 2)
  expect(line.sent.at(-1)).toMatchObject({ coding: 'zstd', isDictionaryOffered: true })
})

it('an older one is refused, and not fetched again: the next is heard of at once', async () => {
  const client = await openClient()
  const database = join(running.config.stateDir, 'catalogue.db')
  const backup = join(temporaryFolder(), 'backup.db')
  await running.catalogue[Symbol.asyncDispose]()
  cpSync(database, backup)
  running = await startTestCatalogue(running)
  line.state.url = running.catalogue.url
  await putMember('A')
  await reaches(client, 2)
  await running.catalogue[Symbol.asyncDispose]()
  cpSync(backup, database)
  running = await startTestCatalogue(running)
  line.state.url = running.catalogue.url
  await vi.waitFor(() => expect(client.health.refused).toBe('catalogue.outdated'), 10_000)
  const { asked } = line.state
  const { length } = line.sent
  await vi.waitFor(() => expect(line.state.asked).toBe(asked + 1), 10_000)
  await running.call('POST', '/admin/snapshot-number', { body: { from: 2 } })
  await reaches(client, 3)
  expect(line.sent).toHaveLength(length + 1)
  await vi.waitFor(() => expect(client.health.refused).toBeUndefined(), 10_000)
})

it('every form verifies, has a tag of its own, and stands for the snapshot whichever tag is given', async () => {
  const anchor = readAnchor(running.catalogue.anchorFile)
  const agent = new Agent({ connect: { ca: running.authority.root.certificate.pem } })
  const ask = async (headers: Record<string, string>) => {
    const got = await request(`${running.catalogue.url}/snapshot`, { dispatcher: agent, headers })
    return { ...got, bytes: Buffer.from(await got.body.arrayBuffer()) }
  }
  const plain = { accept: PLAIN_SNAPSHOT_TYPE }
  const answers = [
    await ask({}),
    await ask({ accept: '*/*', 'accept-encoding': 'dcz, zstd' }),
    await ask({ accept: `${PLAIN_SNAPSHOT_TYPE};q=0` }),
    await ask(plain),
    await ask({ ...plain, 'accept-encoding': 'zstd;q=0, gzip' }),
    await ask({ ...plain, 'accept-encoding': 'gzip, zstd' }),
    await ask({ ...plain, 'accept-encoding': 'dcz', 'available-dictionary': ':AAAA:' }),
  ]
  const forms = answers.map(({ headers }) => String(headers.etag).replace(/^"1-[\w-]{16}/, ''))
  expect(forms).toEqual(['"', '"', '"', '.plain"', '.plain"', '.plain.zstd"', '.plain"'])
  const whole = answers[3]!.bytes
  expect(await verifySnapshot(fromPlainSnapshot(whole), anchor)).toMatchObject({ number: 1 })
  expect(fromPlainSnapshot(whole)).toBe(answers[0]!.bytes.toString())
  for (const { headers } of answers) {
    const etag = String(headers.etag)
    expect((await ask({ 'if-none-match': etag })).statusCode).toBe(304)
    expect((await ask({ ...plain, 'if-none-match': etag })).statusCode).toBe(304)
    expect(headers.vary).toBe('accept, accept-encoding, available-dictionary')
  }
  await agent.destroy()
})
