import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, expect, it } from 'vitest'
import type { CatalogueConfig } from '../../service-catalogue/config.ts'
import { verifySnapshot } from '../../protocol/snapshot.ts'
import { createAuthority, createCaller, createConfig, readAnchor, type Call } from './support.ts'

const MAIN = join(import.meta.dirname, '../../service-catalogue/main.ts')
const children: ChildProcess[] = []
afterEach(() => children.splice(0).forEach((child) => child.kill('SIGKILL')))

async function startProgram(
  config: CatalogueConfig,
): Promise<{ child: ChildProcess; url: string }> {
  const configFile = join(dirname(config.stateDir), 'catalogue.json')
  writeFileSync(configFile, JSON.stringify({ ...config, stateDir: 'state' }))
  const child = spawn(process.execPath, [MAIN, configFile], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, LOG_LEVEL: 'info' },
  })
  children.push(child)
  for await (const line of createInterface(child.stdout!)) {
    const { msg, url } = JSON.parse(line) as { msg: string; url: string }
    if (msg !== 'catalogue ready') continue
    child.stdout!.resume()
    return { child, url }
  }
  throw new TypeError('the program ended before it was ready')
}

/** Puts members one after another until the program dies; returns the last that was acknowledged. */
async function hammer(call: Call, prefix: string): Promise<number> {
  for (let i = 1; ; i++) {
    try {
      const { status } = await call('PUT', `/admin/members/GOV/${prefix}${i}`, {
        body: { name: 'x' },
      })
      expect(status).toBe(201)
    } catch (error) {
      if (!(error instanceof TypeError)) throw error // what fetch throws when the connection breaks
      return i - 1
    }
  }
}

it('keeps every acknowledged change, and never goes back in numbers, when it is killed', async () => {
  const authority = await createAuthority()
  const config = await createConfig(authority)
  const rootPem = authority.root.certificate.pem
  let lastSeen = 0
  const acknowledged: string[] = []
  for (const round of ['A', 'B', 'C']) {
    const { child, url } = await startProgram(config)
    const token = readFileSync(join(config.stateDir, 'admin.token'), 'utf8').trim()
    await using call = createCaller(url, token, rootPem)
    const read = async () => {
      const { text } = await call('GET', '/snapshot')
      return await verifySnapshot(text, readAnchor(join(config.stateDir, 'anchor.json')))
    }
    const { number, members } = await read()
    expect(number).toBeGreaterThanOrEqual(lastSeen)
    const ids = new Set(members.map(({ id }) => id))
    expect(acknowledged.filter((id) => !ids.has(id))).toEqual([])
    lastSeen = number

    setTimeout(() => child.kill('SIGKILL'), 300 + 100 * Math.random())
    const watch = (async () => {
      try {
        for (;;) {
          const { body } = await call('GET', '/status')
          expect(body.snapshotNumber).toBeGreaterThanOrEqual(lastSeen)
          lastSeen = body.snapshotNumber as number
        }
      } catch (error) {
        if (!(error instanceof TypeError)) throw error
      }
    })()
    const count = await hammer(call, round)
    await watch
    expect(count).toBeGreaterThan(0)
    for (let i = 1; i <= count; i++) acknowledged.push(`KH-DEV/GOV/${round}${i}`)
  }
  expect(acknowledged.length).toBeGreaterThan(10)
}, 30_000)

it('ends with status 0 when it is asked to, also while somebody waits', async () => {
  const authority = await createAuthority()
  const config = await createConfig(authority)
  const { child, url } = await startProgram(config)
  await using call = createCaller(url, '', authority.root.certificate.pem)
  const etag = (await call('GET', '/snapshot')).headers.get('etag')!
  const held = call('GET', '/snapshot', { headers: { 'if-none-match': etag, prefer: 'wait=60' } })
  await call('GET', '/status')
  await new Promise((done) => setTimeout(done, 50))
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  expect((await held).status).toBe(304)
  expect(await exit).toEqual([0, null])
}, 20_000)

it('says in words what is wrong with its configuration, and ends', async () => {
  const authority = await createAuthority()
  const config = await createConfig(authority)
  const configFile = join(dirname(config.stateDir), 'bad.json')
  writeFileSync(configFile, JSON.stringify({ ...config, colour: 'red' }))
  const child = spawn(process.execPath, [MAIN, configFile], { stdio: ['ignore', 'ignore', 'pipe'] })
  const [chunk] = (await child.stderr.toArray()) as Buffer[]
  expect(chunk?.toString()).toContain('colour')
  expect(chunk?.toString()).not.toMatch(/^\s+at /m)
  expect(child.exitCode ?? (await once(child, 'exit'))[0]).toBe(1)
}, 20_000)
