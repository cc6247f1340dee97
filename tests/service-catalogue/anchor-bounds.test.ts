/** Where the catalogue announces no anchor that gateways would not take. */
import { readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'undici'
import { beforeEach, describe, expect, it } from 'vitest'
import { encodeName } from '../../pki/distinguished-name.ts'
import { subjectOf } from '../../pki/identity.ts'
import { issueCertificate } from '../../pki/issue.ts'
import { generateKey, type KeyPair } from '../../pki/keys.ts'
import { OID } from '../../pki/oids.ts'
import { verifyAnchorStatement } from '../../protocol/anchor-statement.ts'
import type { Anchor } from '../../protocol/snapshot.ts'
import {
  createAuthority,
  INSTANCE,
  readAnchor,
  startTestCatalogue,
  until,
  type Answer,
  type Running,
} from './support.ts'

let running: Running
let given: Anchor
beforeEach(async () => {
  running = await startTestCatalogue()
  given = readAnchor(running.catalogue.anchorFile)
  return () => running[Symbol.asyncDispose]()
})

const step = (name: string, body: object = {}): Promise<Answer> =>
  running.call('POST', `/admin/anchor/${name}`, { body })
const number = (): number => readAnchor(running.catalogue.anchorFile).number ?? 1
const outcome = ({ status, body }: Answer): unknown[] =>
  body.code === undefined ? [status] : [status, body.code]
const statement = async (n: number): Promise<string> =>
  (await running.call('GET', `/anchors/${n}`)).text

async function rootsOf(keys: KeyPair, count: number): Promise<string> {
  const made = Array.from({ length: count }, (_, n) =>
    issueCertificate({
      profile: 'root-authority',
      subject: encodeName([{ type: OID.commonName, value: `Root ${n}` }]),
      publicKey: keys.publicKey,
      issuer: { key: keys },
      at: new Date(),
    }),
  )
  return (await Promise.all(made)).map(({ pem }) => pem).join('')
}

const path = '/admin/gateways/GOV/MOI/MOI-1'
/** A gateway asks for contracts, and says how far it is. */
const hear = async (anchor: number, snapshot = 1): Promise<void> => {
  const { authority, call, catalogue } = running
  await call('PUT', '/admin/authorities/Test', { body: { certificates: authority.pems } })
  await call('PUT', '/admin/members/GOV/MOI', { body: { name: 'Interior' } })
  await call('PUT', path, { body: { address: 'https://moi.example:5500', clients: [] } })
  const keys = await generateKey('P-256')
  const identity = { instance: INSTANCE, memberClass: 'GOV', member: 'MOI', gateway: 'MOI-1' }
  const { pem } = await issueCertificate({
    profile: 'authentication',
    subject: subjectOf(identity),
    publicKey: keys.publicKey,
    issuer: authority.issuing,
    at: new Date(Date.now() - 60_000),
  })
  expect(
    outcome(await call('POST', `${path}/certificates`, { body: { certificate: pem } })),
  ).toEqual([201])
  const key = keys.privateKey.export({ type: 'pkcs8', format: 'pem' })
  const ca = authority.root.certificate.pem
  const dispatcher = new Agent({ connect: { ca, cert: pem, key } })
  const headers = { 'spean-anchor': String(anchor), 'spean-snapshot': String(snapshot) }
  const answer = await request(`${catalogue.url}/contracts?after=0`, { dispatcher, headers })
  expect(answer.statusCode).toBe(200)
  await answer.body.dump()
  await dispatcher.destroy()
}

describe('roots', () => {
  it('are refused beyond the 64th, with what was changed; keys rotate all the same', async () => {
    const { config, call } = running
    const own = readFileSync(config.rootCertificateFile, 'utf8')
    const more = await rootsOf(await generateKey('P-256'), 63)
    writeFileSync(
      config.rootCertificateFile,
      own +
        more
          .split(/(?=-----BEGIN)/)
          .slice(1)
          .join(''),
    )
    await until(() => number() === 2)
    const authorities = [await createAuthority('A'), await createAuthority('B')]
    const put = (n: number): Promise<Answer> =>
      call('PUT', `/admin/authorities/${n}`, { body: { certificates: authorities[n]!.pems } })
    expect(outcome(await put(0))).toEqual([201])
    expect(readAnchor(running.catalogue.anchorFile).rootCertificates).toHaveLength(64)
    expect(outcome(await put(1))).toEqual([409, 'admin.conflict'])
    expect(outcome(await call('GET', '/admin/authorities/1'))).toEqual([404, 'admin.not-found'])
    // The file has one more too many: what was announced stays, and a stolen key is still replaced.
    writeFileSync(config.rootCertificateFile, own + more)
    expect(outcome(await step('replace'))).toEqual([200])
    const three = await verifyAnchorStatement(await statement(2), given)
    const four = await verifyAnchorStatement(await statement(3), three)
    const five = await verifyAnchorStatement(await statement(4), four)
    expect(five.rootCertificates).toEqual(four.rootCertificates)
    expect(outcome(await call('DELETE', '/admin/authorities/0'))).toEqual([204])
    await until(() => number() === 5)
    expect((await verifyAnchorStatement(await statement(5), five)).rootCertificates).toHaveLength(
      64,
    )
  })
})

describe('a catalogue that was set back behind its gateways', () => {
  it('announces nothing in the place of what they have, but for another key when that is forced', async () => {
    await hear(7)
    const before = number()
    const other = await createAuthority('Other')
    const body = { certificates: other.pems }
    expect(outcome(await running.call('PUT', '/admin/authorities/other', { body }))).toEqual([201])
    for (const name of ['prepare', 'replace']) {
      expect(outcome(await step(name))).toEqual([409, 'anchor.step-refused'])
    }
    expect(number()).toBe(before)
    expect(outcome(await step('replace', { force: true }))).toEqual([200])
    expect(number()).toBe(before + 1)
  })

  it('hears no more of one that is taken out', async () => {
    await hear(7)
    expect(outcome(await step('prepare'))).toEqual([409, 'anchor.step-refused'])
    expect(outcome(await running.call('DELETE', path))).toEqual([204])
    expect(outcome(await step('prepare'))).toEqual([200])
    const { body } = await running.call('GET', '/admin/status')
    expect(body).not.toHaveProperty('behind')
  })
})

describe('what the operator is told to do about a higher number', () => {
  it.each([
    [1000, 'resume --from 1000'],
    [Number.MAX_SAFE_INTEGER, 'anchor replace'],
  ])('of %s is what helps', async (snapshot, words) => {
    await hear(1, snapshot)
    const { body } = await running.call('GET', '/admin/status')
    expect((body.warnings as string[]).join()).toContain(words)
  })
})

describe('steps', () => {
  it('that come together go one after the other', async () => {
    const three = await Promise.all([step('replace'), step('replace'), step('replace')])
    expect(three.map(outcome)).toEqual([[200], [200], [200]])
    let last = given
    const seen = new Set([given.keys[0]!.kid])
    for (let n = 2; n <= 4; n++) {
      last = await verifyAnchorStatement(await statement(n), last)
      expect(last.keys).toHaveLength(1)
      expect(seen).not.toContain(last.keys[0]!.kid)
      seen.add(last.keys[0]!.kid)
    }
    const two = await Promise.all([step('prepare'), step('prepare')])
    expect(new Set(two.map(({ status }) => status))).toEqual(new Set([200, 409]))
    expect((await running.snapshot()).number).toBe(running.catalogue.snapshotNumber())
  })

  it('end at eight keys, in words', async () => {
    for (let n = 1; n < 8; n++) {
      await step('prepare')
      await step('switch')
    }
    expect(outcome(await step('prepare'))).toEqual([409, 'anchor.step-refused'])
    expect(outcome(await step('retire'))).toEqual([200])
    expect(outcome(await step('prepare'))).toEqual([200])
  })
})
