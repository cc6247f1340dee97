import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readGatewayConfig, readPem } from '../../gateway/config.ts'
import { readAnchor } from '../../runtime/anchor.ts'
import { ConfigError } from '../../runtime/config.ts'
import { temporaryFolder } from '../pki/support.ts'

const GOOD = {
  gatewayId: 'KH-TEST/GOV/REG/REG-1',
  stateDir: 'state',
  anchorFile: 'anchor.json',
  authentication: { keyFile: 'keys/a.key', certificateFile: '/etc/spean/a.pem' },
  signing: [{ member: 'KH-TEST/GOV/REG', keyFile: 's.key', certificateFile: 's.pem' }],
}

function file(content: object | string): string {
  const path = join(temporaryFolder(), 'gateway.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

/** The places that the fault is found at; none when there is none. */
function faults(content: object | string, read: (path: string) => object = readGatewayConfig) {
  try {
    read(file(content))
    return []
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    const [, ...lines] = (error as ConfigError).message.split('\n')
    return lines.map((line) => line.trim().split(' ')[0])
  }
}

const compare = (a = '', b = ''): number => (a < b ? -1 : Number(a > b))

describe('the configuration of a gateway', () => {
  it('needs no more than who it is and where its files are; paths are relative to it', () => {
    const path = file(GOOD)
    const config = readGatewayConfig(path)
    const at = (name: string): string => join(path, '..', name)
    expect(config).toMatchObject({
      stateDir: at('state'),
      anchorFile: at('anchor.json'),
      authentication: { keyFile: at('keys/a.key'), certificateFile: '/etc/spean/a.pem' },
      signing: [{ member: 'KH-TEST/GOV/REG', keyFile: at('s.key'), certificateFile: at('s.pem') }],
    })
    expect(config.informationSystems).toEqual({ host: '127.0.0.1', httpPort: 0, httpsPort: 8443 })
    expect(config.peers).toEqual({ host: '0.0.0.0', port: 5500 })
    expect(config.admin).toEqual({ host: '127.0.0.1', port: 4000 })
    expect(config.timeouts.providerMs).toBeGreaterThan(config.timeouts.serviceMs)
  })

  it('takes the defaults for what a section leaves out', () => {
    const config = readGatewayConfig(file({ ...GOOD, timeouts: { idleMs: 500 }, peers: {} }))
    expect(config.timeouts).toMatchObject({ idleMs: 500, serviceMs: 60_000 })
    expect(config.peers).toEqual({ host: '0.0.0.0', port: 5500 })
  })

  it('tells every fault at once', () => {
    const { stateDir: _, ...rest } = GOOD
    expect(
      faults({
        ...rest,
        gatewayId: 'REG-1',
        signing: [{ member: 'KH-TEST/GOV/REG', keyFile: '' }],
        peers: { port: 70_000 },
        timeouts: { connectMs: 1, requestms: 5000 },
        maxBodyBytes: '1 GB',
        logLevel: 'debug',
      }).toSorted(compare),
    ).toEqual([
      '/',
      '/',
      '/gatewayId',
      '/maxBodyBytes',
      '/peers/port',
      '/signing/0',
      '/signing/0/keyFile',
      '/timeouts',
      '/timeouts/connectMs',
    ])
  })

  it.each([
    ['a misspelt option', { ...GOOD, signings: [] }, ['/']],
    ['no signing key', { ...GOOD, signing: [] }, ['/signing']],
    [
      'a member of four parts',
      { ...GOOD, signing: [{ ...GOOD.signing[0], member: 'A/B/C/D' }] },
      ['/signing/0/member'],
    ],
    ['a gateway of three parts', { ...GOOD, gatewayId: 'A/B/C' }, ['/gatewayId']],
    ['a port with a fraction', { ...GOOD, admin: { port: 1.5 } }, ['/admin/port']],
    ['no connection to anybody', { ...GOOD, connections: 0 }, ['/connections']],
    ['a log without room', { ...GOOD, exchangeLog: { maxBytes: 1 } }, ['/exchangeLog/maxBytes']],
  ])('refuses %s', (_name, content, places) => {
    expect(faults(content)).toEqual(places)
  })

  it.each(['', '{', 'gatewayId: x'])('refuses what is not JSON: %j', (content) => {
    expect(() => readGatewayConfig(file(content))).toThrow(ConfigError)
  })

  it('refuses a file that is not there', () => {
    const missing = join(temporaryFolder(), 'missing')
    expect(() => readGatewayConfig(missing)).toThrow(ConfigError)
    expect(() => readAnchor(missing)).toThrow(ConfigError)
    expect(() => readPem(missing)).toThrow(ConfigError)
  })
})

describe('an anchor', () => {
  const ANCHOR = {
    instance: 'KH-TEST',
    catalogueUrl: 'https://catalogue',
    keys: [{ kty: 'EC' }],
    rootCertificates: ['PEM'],
  }

  it('is taken as it is, with members of later versions', () => {
    const more = { ...ANCHOR, later: true }
    expect(readAnchor(file(more))).toEqual(more)
  })

  it.each([
    ['plain HTTP', { ...ANCHOR, catalogueUrl: 'http://catalogue' }, '/catalogueUrl'],
    ['no keys', { ...ANCHOR, keys: [] }, '/keys'],
    ['no root', { ...ANCHOR, rootCertificates: [] }, '/rootCertificates'],
    ['no instance', { ...ANCHOR, instance: '' }, '/instance'],
  ])('with %s is refused', (_name, content, place) => {
    expect(faults(content, readAnchor)).toEqual([place])
  })
})
