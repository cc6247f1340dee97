import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { openSettings } from '../../gateway/access/settings.ts'
import type { Grant } from '../../gateway/exchange-state.ts'
import { ConfigError } from '../../runtime/config.ts'
import { createLeaf, NOW, temporaryFolder } from '../pki/support.ts'
import { BANK, CLIENT, REGISTRY, SERVICE } from './support.ts'

let file: string
beforeEach(() => {
  file = join(temporaryFolder(), 'settings.db')
})

const grant = (id: string, more: Partial<Grant> = {}): Grant => ({
  id,
  subject: CLIENT,
  service: SERVICE,
  endpoints: [{ method: 'GET', path: '/ខេត្ត/*' }],
  grantedAt: NOW,
  ...more,
})
const notFound = expect.objectContaining({ code: 'admin.not-found' }) as unknown

describe('the settings', () => {
  it('have nothing at first', () => {
    using settings = openSettings(file)
    expect(settings.connections()).toEqual([])
    expect(settings.grants()).toEqual([])
    expect(settings.informationSystems()).toEqual([])
    expect(settings.connection(SERVICE)).toBeUndefined()
    expect(settings.grantsFor(SERVICE, [CLIENT])).toEqual([])
    expect(settings.isRegistered(CLIENT, 'any')).toBe(false)
  })

  it('are the same when they are opened again', async () => {
    const { leaf } = await createLeaf()
    const plain = { service: SERVICE, url: 'http://register/base' }
    const whole = {
      service: `${REGISTRY}/POP/other`,
      url: 'https://register',
      timeoutMs: 1500,
      caCertificates: leaf.pem,
    }
    {
      using settings = openSettings(file)
      settings.connect({ ...plain, url: 'http://elsewhere' })
      settings.connect(plain)
      settings.connect(whole)
      settings.grant(grant('g-1'))
      settings.register(CLIENT, leaf)
    }
    using settings = openSettings(file)
    expect(settings.connections()).toStrictEqual([plain, whole])
    expect(settings.connection(SERVICE)).toStrictEqual(plain)
    expect(settings.grants()).toStrictEqual([grant('g-1')])
    expect(settings.informationSystems()).toEqual([{ client: CLIENT, certificate: leaf }])
    expect(settings.isRegistered(CLIENT, leaf.thumbprint)).toBe(true)
  })

  it('find grants by service and subject, both whole', () => {
    using settings = openSettings(file)
    settings.grant(grant('client'))
    settings.grant(grant('member', { subject: BANK }))
    settings.grant(grant('group', { subject: 'group:banks' }))
    settings.grant(grant('elsewhere', { service: `${SERVICE}2` }))
    const found = (...subjects: string[]): string[] =>
      settings.grantsFor(SERVICE, subjects).map(({ id }) => id)
    expect(found(CLIENT, BANK, 'group:banks')).toEqual(['client', 'member', 'group'])
    expect(found(CLIENT)).toEqual(['client'])
    expect(found('banks', `${CLIENT}2`, 'KH-TEST/COM')).toEqual([])
    expect(found()).toEqual([])
  })

  it('know an information system by client and certificate together', async () => {
    const { leaf } = await createLeaf()
    const { leaf: other } = await createLeaf()
    using settings = openSettings(file)
    settings.register(CLIENT, leaf)
    settings.register(BANK, other)
    expect(settings.isRegistered(CLIENT, leaf.thumbprint)).toBe(true)
    expect(settings.isRegistered(CLIENT, other.thumbprint)).toBe(false)
    expect(settings.isRegistered(BANK, leaf.thumbprint)).toBe(false)
  })

  it('take back at once, and for good', async () => {
    const { leaf } = await createLeaf()
    {
      using settings = openSettings(file)
      settings.connect({ service: SERVICE, url: 'http://register' })
      settings.grant(grant('g-1'))
      settings.grant(grant('g-2'))
      settings.register(CLIENT, leaf)
      settings.register(BANK, leaf)
      settings.disconnect(SERVICE)
      settings.revoke('g-1')
      settings.unregister(CLIENT, leaf.thumbprint)
      expect(settings.connection(SERVICE)).toBeUndefined()
      expect(settings.grantsFor(SERVICE, [CLIENT]).map(({ id }) => id)).toEqual(['g-2'])
      expect(settings.isRegistered(CLIENT, leaf.thumbprint)).toBe(false)
    }
    using settings = openSettings(file)
    expect(settings.connections()).toEqual([])
    expect(settings.grants().map(({ id }) => id)).toEqual(['g-2'])
    expect(settings.informationSystems().map(({ client }) => client)).toEqual([BANK])
  })

  it('say so when there is nothing to take back', async () => {
    const { leaf } = await createLeaf()
    using settings = openSettings(file)
    settings.register(CLIENT, leaf)
    expect(() => settings.disconnect(SERVICE)).toThrow(notFound)
    expect(() => settings.revoke('g-1')).toThrow(notFound)
    expect(() => settings.unregister(BANK, leaf.thumbprint)).toThrow(notFound)
    expect(() => settings.unregister(CLIENT, 'other')).toThrow(notFound)
  })

  it('cannot be opened in a file that is no database', () => {
    writeFileSync(file, 'this is no database, although it is long enough to be one'.repeat(20))
    expect(() => openSettings(file)).toThrow(ConfigError)
  })
})
