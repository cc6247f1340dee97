import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseCheckpoint } from '../../protocol/checkpoint.ts'
import { leafHash, tilePath, treeRoot } from '../../protocol/merkle-tree.ts'
import { tileReader } from '../../exchange-log/tree-reader.ts'
import { startFederation, type Federation } from '../support/federation.ts'
import { get, type Got } from '../support/transparency.ts'

let f: Federation
const log = (path: string): Promise<Got> =>
  get({ port: f.client.running.ports.transparency, ca: f.ca, path: `/log/${path}` })

/** The newest checkpoint, when it holds this many records. */
async function checkpointOf(size: number): Promise<ReturnType<typeof parseCheckpoint>> {
  for (;;) {
    const answer = await log('checkpoint')
    const found = answer.status === 200 ? parseCheckpoint(answer.body.toString()) : undefined
    if (found !== undefined && found.size >= size) return found
    await new Promise((done) => setTimeout(done, 20))
  }
}

beforeAll(async () => {
  f = await startFederation()
})
afterAll(async () => f[Symbol.asyncDispose]())

describe('the port for everybody', () => {
  it('serves a checkpoint within a second of an exchange, and tiles that lead to its root', async () => {
    expect((await log('checkpoint')).status).toBe(404)
    await f.call('/r1/KH-TEST/GOV/REG/POP/echo')
    const begun = performance.now()
    const { origin, size, rootHash } = await checkpointOf(2)
    expect(performance.now() - begun).toBeLessThan(1000)
    expect(origin).toBe('spean/KH-TEST/COM/BANK/BANK-1/log')
    const tile = async (level: number, index: number): Promise<Buffer> =>
      (await log(tilePath(level, index, size))).body
    expect(await treeRoot(size, tileReader({ tile }))).toEqual(rootHash)
    const { body, headers } = await log(tilePath('entries', 0, size))
    expect(headers['content-type']).toBe('application/octet-stream')
    expect(headers['cache-control']).toContain('immutable')
    expect(body.length).toBe(size * 34)
    const leaves = await tile(0, 0)
    for (let i = 0; i < size; i += 1) {
      expect(body.readUInt16BE(i * 34)).toBe(32)
      const entry = body.subarray(i * 34 + 2, (i + 1) * 34)
      expect(leafHash(entry)).toEqual(leaves.subarray(i * 32, (i + 1) * 32))
    }
  })

  it('says that a checkpoint is text that changes, and answers HEAD', async () => {
    const { headers, body } = await log('checkpoint')
    expect(headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(headers['cache-control']).toBe('no-cache')
    expect(body.length).toBeGreaterThan(0)
    const path = '/log/checkpoint'
    const port = f.client.running.ports.transparency
    const head = await get({ port, ca: f.ca, path, method: 'HEAD' })
    expect([head.status, head.body.length]).toEqual([200, 0])
  })

  it.each([
    'tile/0/000',
    'tile/0/000.p/255',
    'tile/0/000.p/256',
    'tile/0/000.p/0',
    'tile/0/000.p/01',
    'tile/0/0',
    'tile/0/x000/000',
    'tile/0/x000/000.p/1',
    'tile/00/000.p/1',
    'tile/64/000.p/1',
    'tile/-1/000.p/1',
    'tile/0/001.p/1',
    'tile/1/000.p/1',
    'tile/entries/000',
    'tile/entries/000.p/200',
    'tile/0/000.p/1/',
    'tile/0/..%2f..%2fcheckpoint',
    `tile/0/${'x999/'.repeat(40)}999`,
    'tile/0/%00',
    'tile',
    '',
  ])('serves nothing at /log/%s', async (path) => {
    expect((await log(path)).status).toBe(404)
  })

  it('has nothing of the other ports', async () => {
    const { port } = { port: f.client.running.ports.transparency }
    for (const path of ['/admin/status', '/admin/log', '/metrics', '/r1/a', '/listClients']) {
      expect((await get({ port, ca: f.ca, path })).status).toBe(404)
    }
  })

  it('is closed when its port is 0', async () => {
    await f.client.restart({ transparency: { host: '127.0.0.1', port: 0 } })
    expect(f.client.running.ports.transparency).toBe(0)
  })
})
