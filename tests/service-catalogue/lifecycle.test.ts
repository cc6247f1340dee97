import { once } from 'node:events'
import { appendFileSync, chmodSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { parseCertificate } from '../../pki/certificate.ts'
import { generateKey } from '../../pki/keys.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import { ConfigError } from '../../runtime/config.ts'
import { readCatalogueConfig } from '../../service-catalogue/config.ts'
import {
  createAuthority,
  createConfig,
  readAnchor,
  startTestCatalogue,
  until,
  writeServerCertificate,
} from './support.ts'

async function shownCertificate(port: number, ca: string): Promise<string> {
  const socket = connect({ port, ca })
  await once(socket, 'secureConnect')
  const { raw } = socket.getPeerCertificate()
  socket.destroy()
  return parseCertificate(raw).thumbprint
}

describe('a start', () => {
  it('makes key and token, readable by their owner only, and the public files', async () => {
    await using running = await startTestCatalogue()
    const { stateDir } = running.config
    for (const name of ['snapshot.key', 'admin.token']) {
      expect([name, statSync(join(stateDir, name)).mode & 0o777]).toEqual([name, 0o600])
    }
    const jwks = readFileSync(join(stateDir, 'snapshot-key.jwks.json'), 'utf8')
    expect(jwks).not.toContain('"d"')
    const anchor = readAnchor(running.catalogue.anchorFile)
    expect(anchor).toEqual({
      instance: 'KH-DEV',
      number: 1,
      catalogueUrl: running.catalogue.url,
      keys: (JSON.parse(jwks) as { keys: unknown }).keys,
      rootCertificates: [running.authority.root.certificate.pem],
    })
    expect(running.catalogue.anchor()).toEqual(anchor)
  })

  it('goes on with the state, the token and the number of the one before', async () => {
    const first = await startTestCatalogue()
    await first.call('PUT', '/admin/members/GOV/MOI', { body: { name: 'Interior' } })
    const before = await first.call('GET', '/snapshot')
    await first[Symbol.asyncDispose]()
    await using second = await startTestCatalogue(first)
    expect(second.catalogue.adminToken).toBe(first.catalogue.adminToken)
    const after = await second.call('GET', '/snapshot')
    expect([after.text, after.headers.get('etag')]).toEqual([
      before.text,
      before.headers.get('etag'),
    ])
    await second.call('PUT', '/admin/members/GOV/MOC', { body: { name: 'Commerce' } })
    expect((await second.snapshot()).number).toBe(3)
  })

  it('issues the state anew at once when it is due, or its terms have changed', async () => {
    const first = await startTestCatalogue()
    await first[Symbol.asyncDispose]()
    const later = { now: new Date(first.clock.now.getTime() + 7 * 3_600_000) }
    const second = await startTestCatalogue({ ...first, clock: later })
    expect((await second.snapshot()).number).toBe(2)
    await second[Symbol.asyncDispose]()
    const config = { ...first.config, snapshotLifetimeHours: 0.5 }
    await using third = await startTestCatalogue({ ...first, clock: later, config })
    const { number, expiresAt } = await third.snapshot()
    expect([number, expiresAt]).toEqual([
      3,
      new Date(later.now.getTime() + 1_800_000).toISOString(),
    ])
  })

  it('signs anew when an operator has put another key in place', async () => {
    const first = await startTestCatalogue()
    await first[Symbol.asyncDispose]()
    const { privateKey } = await generateKey('P-256')
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' })
    writePrivateFile(join(first.config.stateDir, 'snapshot.key'), pem)
    await using second = await startTestCatalogue(first)
    expect((await second.snapshot()).number).toBe(2)
  })

  it.each(['snapshot.key', 'catalogue.db'])('is refused when %s is gone', async (name) => {
    const first = await startTestCatalogue()
    await first[Symbol.asyncDispose]()
    rmSync(join(first.config.stateDir, name))
    await expect(startTestCatalogue(first)).rejects.toThrow(ConfigError)
  })

  it('is refused for another instance, a token that others can read, or one cut short', async () => {
    const first = await startTestCatalogue()
    await first[Symbol.asyncDispose]()
    const config = { ...first.config, instance: 'EE' }
    await expect(startTestCatalogue({ ...first, config })).rejects.toThrow(ConfigError)
    const token = join(first.config.stateDir, 'admin.token')
    chmodSync(token, 0o644)
    await expect(startTestCatalogue(first)).rejects.toThrow(ConfigError)
    writePrivateFile(token, 'short')
    await expect(startTestCatalogue(first)).rejects.toThrow(ConfigError)
  })

  it('is refused with a key that is not the one of the HTTPS certificate', async () => {
    const authority = await createAuthority()
    const config = await createConfig(authority)
    const { privateKey } = await generateKey('P-256')
    writePrivateFile(config.tlsKeyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }))
    await expect(startTestCatalogue({ authority, config })).rejects.toThrow(ConfigError)
  })
})

describe('while it runs', () => {
  it('takes a renewed HTTPS certificate without a restart', async () => {
    await using running = await startTestCatalogue()
    const { authority, config, catalogue } = running
    const ca = authority.root.certificate.pem
    const before = await shownCertificate(catalogue.port, ca)
    const renewed = await writeServerCertificate(authority, config)
    expect(renewed.thumbprint).not.toBe(before)
    await until(async () => (await shownCertificate(catalogue.port, ca)) === renewed.thumbprint)
    const old = connect({ port: catalogue.port, ca, maxVersion: 'TLSv1.2' })
    await expect(once(old, 'secureConnect')).rejects.toMatchObject({
      code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
    })
  })

  it('keeps the old HTTPS certificate while the new files do not fit together', async () => {
    await using running = await startTestCatalogue()
    const { authority, config, catalogue } = running
    const ca = authority.root.certificate.pem
    const before = await shownCertificate(catalogue.port, ca)
    const key = readFileSync(config.tlsKeyFile)
    const renewed = await writeServerCertificate(authority, config)
    const renewedKey = readFileSync(config.tlsKeyFile)
    writePrivateFile(config.tlsKeyFile, key)
    await new Promise((done) => setTimeout(done, 100))
    expect([before, renewed.thumbprint]).toContain(await shownCertificate(catalogue.port, ca))
    writePrivateFile(config.tlsKeyFile, renewedKey)
    await until(async () => (await shownCertificate(catalogue.port, ca)) === renewed.thumbprint)
  })

  it('writes the anchor anew when the roots of its HTTPS change', async () => {
    await using running = await startTestCatalogue()
    const other = await createAuthority('Next')
    appendFileSync(running.config.rootCertificateFile, other.root.certificate.pem)
    await until(() => readAnchor(running.catalogue.anchorFile).rootCertificates.length === 2)
    writeFileSync(running.config.rootCertificateFile, 'nothing')
    await new Promise((done) => setTimeout(done, 100))
    expect(readAnchor(running.catalogue.anchorFile).rootCertificates).toHaveLength(2)
  })
})

describe('readCatalogueConfig', () => {
  it('makes paths absolute, fills in defaults, and refuses what cannot be', async () => {
    const config = await createConfig(await createAuthority())
    const folder = join(config.stateDir, '..')
    const file = join(folder, 'config.json')
    const minimal = {
      instance: 'KH-DEV',
      stateDir: 'state',
      port: 4443,
      tlsCertificateFile: 'tls.pem',
      tlsKeyFile: 'tls.key',
      rootCertificateFile: '/etc/root.pem',
    }
    const read = (changes: object) => {
      writeFileSync(file, JSON.stringify({ ...minimal, ...changes }))
      return readCatalogueConfig(file)
    }
    expect(read({})).toEqual({
      ...minimal,
      stateDir: join(folder, 'state'),
      tlsCertificateFile: join(folder, 'tls.pem'),
      tlsKeyFile: join(folder, 'tls.key'),
      host: '127.0.0.1',
      snapshotLifetimeHours: 24,
      memberClasses: ['GOV', 'COM', 'ORG'],
      registration: 'open',
      changeNoticeDays: 30,
      webhooksToPrivateAddresses: false,
    })
    expect(read({ snapshotLifetimeHours: 0.01 }).snapshotLifetimeHours).toBe(0.01)
    for (const bad of [
      { instance: 'A/B' },
      { memberClasses: ['.'] },
      { snapshotLifetimeHours: 0 },
      { publicUrl: 'http://catalogue' },
      { publicUrl: 'https://catalogue/path' },
      { port: 65_536 },
      { colour: 'red' },
    ]) {
      expect(() => read(bad)).toThrow(ConfigError)
    }
  })
})
