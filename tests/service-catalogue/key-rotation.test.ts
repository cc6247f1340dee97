import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { calculateJwkThumbprint, decodeProtectedHeader } from 'jose'
import { beforeEach, describe, expect, it } from 'vitest'
import { verifyAnchorStatement } from '../../protocol/anchor-statement.ts'
import type { Anchor } from '../../protocol/snapshot.ts'
import { ConfigError } from '../../runtime/config.ts'
import { openKeyRing } from '../../service-catalogue/key-ring.ts'
import { freePort } from '../support/http.ts'
import {
  createAuthority,
  readAnchor,
  startTestCatalogue,
  temporaryFolder,
  until,
  type Answer,
  type Running,
} from './support.ts'

interface Described {
  readonly number: number
  readonly keys: readonly { readonly kid: string; readonly state: string }[]
}

let running: Running
let given: Anchor
beforeEach(async () => {
  running = await startTestCatalogue()
  given = readAnchor(running.catalogue.anchorFile)
  return () => running[Symbol.asyncDispose]()
})

const step = (name: string, body: object = {}): Promise<Answer> =>
  running.call('POST', `/admin/anchor/${name}`, { body })
const described = (answer: Answer): Described => answer.body as unknown as Described
const states = async (): Promise<string[]> =>
  described(await running.call('GET', '/admin/anchor')).keys.map(({ state }) => state)
const signerOfSnapshot = async (): Promise<{ kid?: string; anchor?: number }> =>
  decodeProtectedHeader((await running.call('GET', '/snapshot')).text) as { kid?: string }
const statement = async (number: number): Promise<string> => {
  const answer = await running.call('GET', `/anchors/${number}`, { token: undefined })
  expect([answer.status, answer.headers.get('content-type')]).toEqual([
    200,
    'application/jose+json',
  ])
  return answer.text
}
async function restart(change: (stateDir: string) => void = () => {}): Promise<void> {
  await running[Symbol.asyncDispose]()
  change(running.config.stateDir)
  running = await startTestCatalogue(running)
}

describe('the steps of a rotation', () => {
  it('announce, sign with the next, and take the previous out, each linked to the one before', async () => {
    const first = given.keys[0]!.kid
    expect((await step('prepare')).status).toBe(200)
    expect(await states()).toEqual(['current', 'next'])
    expect(await signerOfSnapshot()).toMatchObject({ kid: first, anchor: 2 })
    const two = await verifyAnchorStatement(await statement(2), given)
    expect(two.keys).toHaveLength(2)
    await step('switch')
    const second = two.keys[1]!.kid
    expect(await states()).toEqual(['previous', 'current'])
    expect(await signerOfSnapshot()).toMatchObject({ kid: second, anchor: 2 })
    await step('retire')
    expect(await states()).toEqual(['retired', 'current'])
    const three = await verifyAnchorStatement(await statement(3), two)
    expect(three.keys.map(({ kid }) => kid)).toEqual([second])
    const carried = readAnchor(running.catalogue.anchorFile)
    expect([carried.number, carried.keys]).toEqual([3, three.keys])
    expect(await calculateJwkThumbprint(carried.keys[0]!)).toBe(second)
    const { stateDir } = running.config
    expect(
      ['snapshot.key', 'snapshot-2.key'].map((name) => existsSync(join(stateDir, name))),
    ).toEqual([false, true])
  })

  it('are followed by what else is signed with the key: /jwks has all that may sign', async () => {
    const kids = async (): Promise<string[]> =>
      (
        (await running.call('GET', '/jwks')).body as unknown as { keys: { kid: string }[] }
      ).keys.map(({ kid }) => kid)
    const first = given.keys[0]!.kid
    await step('prepare')
    expect([(await kids())[0], (await kids()).length]).toEqual([first, 2])
    await step('switch')
    const [second, other] = await kids()
    expect(other).toBe(first)
    await step('retire')
    expect(await kids()).toEqual([second])
    const file = readFileSync(join(running.config.stateDir, 'snapshot-key.jwks.json'), 'utf8')
    expect(file).toContain(second)
    expect(file).not.toContain('"d"')
  })

  it('survive restarts between them, and a start without the first key', async () => {
    await step('prepare')
    await restart()
    expect(await states()).toEqual(['current', 'next'])
    await step('switch')
    await restart()
    expect(await states()).toEqual(['previous', 'current'])
    await step('retire')
    await restart()
    expect((await step('prepare')).status).toBe(200)
    expect(await states()).toEqual(['retired', 'current', 'next'])
  })

  it('are refused out of their order', async () => {
    const refusals = async (name: string): Promise<unknown[]> => {
      const { status, body } = await step(name)
      return [status, body.code]
    }
    expect(await refusals('switch')).toEqual([409, 'anchor.step-refused'])
    expect(await refusals('retire')).toEqual([409, 'anchor.step-refused'])
    await step('prepare')
    expect(await refusals('prepare')).toEqual([409, 'anchor.step-refused'])
    expect(await refusals('retire')).toEqual([409, 'anchor.step-refused'])
    expect((await step('prepare', { force: true })).body.code).toBe('admin.invalid')
  })

  it('wait for gateways that have not been heard, unless they are forced', async () => {
    const { call } = running
    await call('PUT', '/admin/members/GOV/MOI', { body: { name: 'Interior' } })
    const gateway = { address: 'https://moi.example:5500', clients: [] }
    await call('PUT', '/admin/gateways/GOV/MOI/MOI-1', { body: gateway })
    await step('prepare')
    const refused = await step('switch')
    expect([refused.status, refused.body.code]).toEqual([409, 'anchor.step-refused'])
    expect(refused.body.detail).toContain('KH-DEV/GOV/MOI/MOI-1')
    expect((await step('switch', { force: true })).status).toBe(200)
    expect((await step('retire')).status).toBe(409)
  })

  it('stand in the events and in the audit trail, and are for the operator only', async () => {
    await step('replace')
    const { events } = (await running.call('GET', '/admin/events')).body as unknown as {
      events: { action: string; subject: string }[]
    }
    expect(events.at(-1)).toMatchObject({ action: 'replace-anchor-keys' })
    expect(events.at(-1)!.subject).toContain(given.keys[0]!.kid)
    const body = { name: 'a', role: 'auditor', person: 'P', days: 1 }
    const { key: token } = (await running.call('POST', '/admin/keys', { body }))
      .body as unknown as { key: string }
    expect((await running.call('GET', '/admin/anchor', { token })).status).toBe(200)
    for (const path of [
      'anchor/prepare',
      'anchor/switch',
      'anchor/retire',
      'anchor/replace',
      'snapshot-number',
    ]) {
      const refused = await running.call('POST', `/admin/${path}`, { token, body: {} })
      expect([path, refused.body.code]).toEqual([path, 'admin.not-permitted'])
    }
  })
})

describe('GET /anchors/N', () => {
  it('has none for the first, and for what is no number', async () => {
    for (const number of ['1', '2', '0', '-1', '02', '9'.repeat(40), '..%2fsnapshot.key']) {
      const { status, body } = await running.call('GET', `/anchors/${number}`)
      expect([number, status, body.code]).toEqual([number, 404, 'admin.not-found'])
    }
  })

  it('announces roots of new authorities under a number of their own, in the snapshot that has them', async () => {
    const other = await createAuthority('Other')
    const body = { certificates: other.pems }
    await running.call('PUT', '/admin/authorities/other', { body })
    const two = await verifyAnchorStatement(await statement(2), given)
    expect(two.rootCertificates).toContain(other.root.certificate.pem)
    expect(await signerOfSnapshot()).toMatchObject({ anchor: 2 })
    expect(running.catalogue.snapshotNumber()).toBe(2)
  })
})

describe('a crash', () => {
  it('between making the next key and announcing it: the key is taken at the next attempt', async () => {
    const folder = temporaryFolder()
    const made = await (await openKeyRing(folder)).ensure(2)
    await restart((stateDir) => cpSync(made.file, join(stateDir, 'snapshot-2.key')))
    expect(await states()).toEqual(['current'])
    expect(described(await step('prepare')).keys[1]).toMatchObject({ kid: made.kid, state: 'next' })
  })

  it('between announcing another key and signing with it: it signs after the start', async () => {
    const folder = temporaryFolder()
    for (const name of ['snapshot.key', 'snapshot-signer.json']) {
      cpSync(join(running.config.stateDir, name), join(folder, name))
    }
    await step('replace')
    const [, kid] = described(await running.call('GET', '/admin/anchor')).keys.map((key) => key.kid)
    await restart((stateDir) => cpSync(folder, stateDir, { recursive: true }))
    expect(await signerOfSnapshot()).toMatchObject({ kid, anchor: 2 })
    expect(existsSync(join(running.config.stateDir, 'snapshot.key'))).toBe(false)
  })

  it('that left the new key lost does not bring one back that was taken out', async () => {
    const folder = temporaryFolder()
    cpSync(join(running.config.stateDir, 'snapshot.key'), join(folder, 'snapshot.key'))
    await step('replace')
    await running[Symbol.asyncDispose]()
    rmSync(join(running.config.stateDir, 'snapshot-2.key'))
    cpSync(folder, running.config.stateDir, { recursive: true })
    await expect(startTestCatalogue(running)).rejects.toThrow(ConfigError)
  })

  it('that left a file of the anchors damaged is told at the start', async () => {
    await step('prepare')
    await running[Symbol.asyncDispose]()
    writeFileSync(join(running.config.stateDir, 'anchors', '2.json'), '{"payload":"')
    await expect(startTestCatalogue(running)).rejects.toThrow(ConfigError)
  })
})

describe('POST /admin/snapshot-number', () => {
  const resume = (from: unknown): Promise<Answer> =>
    running.call('POST', '/admin/snapshot-number', { body: { from } })

  it('lets the numbers go on above one that gateways had', async () => {
    const answer = await resume(57)
    expect([answer.status, answer.body]).toEqual([200, { snapshotNumber: 58 }])
    expect((await running.snapshot()).number).toBe(58)
    await running.call('PUT', '/admin/members/GOV/MOI', { body: { name: 'Interior' } })
    expect((await running.snapshot()).number).toBe(59)
  })

  it.each([0, -1, 1.5, '57', null, 2 ** 53, 2_000_000_000])('refuses %s', async (from) => {
    expect((await resume(from)).body.code).toBe('admin.invalid')
    expect((await running.snapshot()).number).toBe(1)
  })

  it('refuses to go back', async () => {
    await resume(57)
    expect((await resume(5)).body.code).toBe('admin.invalid')
  })
})

it('announces another address only when it is configured: a port of its own each time is none', async () => {
  await restart()
  expect(readAnchor(running.catalogue.anchorFile)).toMatchObject({ number: 1 })
  const port = await freePort()
  const publicUrl = `https://localhost:${port}`
  const config = { ...running.config, port, publicUrl }
  await running[Symbol.asyncDispose]()
  running = await startTestCatalogue({ ...running, config })
  await until(() => readAnchor(running.catalogue.anchorFile).number === 2)
  const { catalogueUrl } = await verifyAnchorStatement(await statement(2), given)
  expect(catalogueUrl).toBe(publicUrl)
})
