import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LIMITS } from '../../protocol/limits.ts'
import {
  BANK,
  INSTANCE,
  REGISTRY,
  startFederation,
  type Federation,
} from '../support/federation.ts'
import { sendBytes, type Answer } from '../support/http.ts'
import { expectRefusal, type Refusal } from '../support/refusals.ts'

let f: Federation
beforeAll(async () => {
  f = await startFederation()
  await f.addService('nogrant', { grant: null })
  const grant = [
    { method: 'GET', path: '/persons/*' },
    { method: 'POST', path: '/orders' },
  ]
  await f.addService('limited', { grant })
  await f.settled()
})
afterAll(() => f[Symbol.asyncDispose]())

const ECHO = `/r1/${REGISTRY}/echo`
const as =
  (...rawHeaders: string[]) =>
  (federation: Federation): Promise<Answer> =>
    federation.call(ECHO, { rawHeaders })
const at =
  (path: string, method = 'GET') =>
  (federation: Federation): Promise<Answer> =>
    federation.call(path, { method })
const limited = (path: string, method = 'GET') => at(`/r1/${REGISTRY}/limited${path}`, method)
const client = (value: string) => as('X-Road-Client', value)
const invalid = { code: 'request.identifier-invalid', by: 'client' } as const
const badPath = { code: 'request.path-invalid', by: 'client' } as const
const ambiguous = { code: 'access.path-ambiguous', by: 'provider' } as const

const ROWS: Refusal[] = [
  { name: 'no X-Road-Client', send: as(), code: 'request.client-missing', by: 'client' },
  {
    name: 'X-Road-Client twice',
    send: as('X-Road-Client', BANK, 'x-road-client', BANK),
    code: 'request.header-repeated',
    by: 'client',
  },
  {
    name: 'X-Road-Id twice',
    send: as('X-Road-Client', BANK, 'X-Road-Id', '1', 'X-Road-Id', '2'),
    code: 'request.header-repeated',
    by: 'client',
  },
  { name: 'a client of two parts', send: client(`${INSTANCE}/COM`), ...invalid },
  { name: 'a client of five parts', send: client(`${BANK}/X`), ...invalid },
  { name: 'a client with an empty part', send: client(`${INSTANCE}//BANK/KYC`), ...invalid },
  {
    name: 'a client with an encoded slash',
    send: client(`${INSTANCE}/COM%2FBANK/KYC`),
    ...invalid,
  },
  { name: 'a client with a dot segment', send: client(`${INSTANCE}/../BANK/KYC`), ...invalid },
  { name: 'a client in broken UTF-8', send: client(`${INSTANCE}/COM/%C3%28/KYC`), ...invalid },
  {
    name: 'a client that is not registered',
    send: client(`${INSTANCE}/COM/NOBODY/X`),
    code: 'client.unknown',
    by: 'client',
  },
  {
    name: 'a client of another instance',
    send: client('EE/COM/BANK/KYC'),
    code: 'client.unknown',
    by: 'client',
  },
  {
    name: 'a client of another gateway',
    send: client(REGISTRY),
    code: 'client.not-served',
    by: 'client',
  },
  {
    name: 'a security server of three parts',
    send: as('X-Road-Client', BANK, 'X-Road-Security-Server', `${INSTANCE}/GOV/REG`),
    ...invalid,
  },
  {
    name: 'a security server that the provider has not',
    send: as('X-Road-Client', BANK, 'X-Road-Security-Server', `${INSTANCE}/GOV/REG/OTHER`),
    code: 'provider.no-gateway',
    by: 'client',
  },
  {
    name: 'a represented party of three parts',
    send: as('X-Road-Client', BANK, 'X-Road-Represented-Party', 'A/B/C'),
    ...invalid,
  },
  {
    name: 'a user id that is not UTF-8',
    send: as('X-Road-Client', BANK, 'X-Road-UserId', '\xff\xfe'),
    code: 'request.malformed',
    by: 'client',
  },
  { name: 'a service id of four parts', send: at(`/r1/${REGISTRY}`), ...invalid },
  {
    name: 'a service id of seven parts',
    send: at(`/r1/${INSTANCE}/GOV/REG/POP/EXTRA/EXTRA/echo`),
    code: 'service.unknown',
    by: 'client',
  },
  {
    name: 'protocol version r2',
    send: at(`/r2/${REGISTRY}/echo`),
    code: 'request.version-unsupported',
    by: 'client',
  },
  { name: 'another path', send: at('/favicon.ico'), code: 'request.route-unknown', by: 'client' },
  {
    name: 'an unknown member',
    send: at(`/r1/${INSTANCE}/GOV/NOBODY/POP/echo`),
    code: 'provider.unknown',
    by: 'client',
  },
  {
    name: 'an unknown subsystem',
    send: at(`/r1/${INSTANCE}/GOV/REG/NOTHING/echo`),
    code: 'provider.unknown',
    by: 'client',
  },
  {
    name: 'an unknown service',
    send: at(`/r1/${REGISTRY}/nothing`),
    code: 'service.unknown',
    by: 'client',
  },
  {
    name: 'a client without a grant',
    send: (g) => g.call(ECHO, { rawHeaders: ['X-Road-Client', `${INSTANCE}/COM/BANK/NOGRANT`] }),
    code: 'access.denied',
    by: 'provider',
  },
  {
    name: 'a service without a grant',
    send: at(`/r1/${REGISTRY}/nogrant/x`),
    code: 'access.denied',
    by: 'provider',
  },
  {
    name: 'a grant for another path',
    send: limited('/orders'),
    code: 'access.denied',
    by: 'provider',
  },
  {
    name: 'a grant for another method',
    send: limited('/persons/1', 'DELETE'),
    code: 'access.denied',
    by: 'provider',
  },
  {
    name: 'a grant for one segment, called with two',
    send: limited('/persons/1/secret'),
    code: 'access.denied',
    by: 'provider',
  },
  {
    name: 'a grant for one segment, called with an empty one',
    send: limited('/persons/'),
    code: 'access.denied',
    by: 'provider',
  },
  { name: '.. in a path', send: limited('/persons/../orders'), ...badPath },
  { name: '%2e%2e in a path', send: limited('/persons/%2e%2E/orders'), ...badPath },
  { name: '.. behind %2F', send: at(`${ECHO}/a%2F..%2Fb`), ...badPath },
  { name: '.. before a parameter', send: at(`${ECHO}/..;a=b/c`), ...badPath },
  { name: '.. behind a backslash', send: at(`${ECHO}/a%5C..%5Cb`), ...badPath },
  { name: '%00 in a path', send: limited('/persons/1%00'), ...badPath },
  {
    name: 'a line break in a path',
    send: limited('/persons/1%0d%0aX: y'.replace(' ', '%20')),
    ...badPath,
  },
  { name: 'invalid UTF-8 in a path', send: limited('/persons/%ff'), ...badPath },
  { name: 'a broken percent sign', send: limited('/persons/%4'), ...badPath },
  { name: '%2F under a grant with paths', send: limited('/persons/1%2Fsecret'), ...ambiguous },
  { name: '%5C under a grant with paths', send: limited('/persons/1%5Csecret'), ...ambiguous },
  { name: '// under a grant with paths', send: limited('//persons/1'), ...ambiguous },
  { name: '%252F under a grant with paths', send: limited('/persons/1%252Fsecret'), ...ambiguous },
  {
    name: 'a URL that is too long',
    send: at(`${ECHO}?${'x'.repeat(LIMITS.targetBytes)}`),
    code: 'request.target-too-long',
    by: 'client',
  },
  {
    name: 'headers that are too large',
    send: as('X-Road-Client', BANK, 'X-Large', 'x'.repeat(LIMITS.headerBlockBytes)),
    code: 'request.headers-too-large',
    by: 'client',
  },
  {
    name: 'headers beyond what is read at all',
    send: as('X-Road-Client', BANK, 'X-Large', 'x'.repeat(60_000)),
    code: 'request.headers-too-large',
    by: 'client',
  },
  {
    name: 'a body that is too large',
    send: (g) => g.call(ECHO, { method: 'POST', body: Buffer.alloc(4_194_305) }),
    code: 'request.body-too-large',
    by: 'client',
  },
  {
    name: 'a TRACE with a body',
    send: (g) => g.call(ECHO, { method: 'TRACE', body: 'x' }),
    code: 'request.malformed',
    by: 'client',
  },
  {
    name: 'getOpenAPI without a service code',
    send: at(`/r1/${REGISTRY}/getOpenAPI`),
    code: 'request.malformed',
    by: 'provider',
  },
  {
    name: 'getOpenAPI of an undescribed service',
    send: at(`/r1/${REGISTRY}/getOpenAPI?serviceCode=echo`),
    code: 'service.description-missing',
    by: 'provider',
  },
]

describe('the client gateway refuses', () => {
  it.each(ROWS)('$name: $code', (row) => expectRefusal(f, row))

  it('a method that is none of the protocol', async () => {
    const answer = await sendBytes(
      f.client.httpPort,
      `PROPFIND ${ECHO} HTTP/1.1\r\nhost: x\r\nx-road-client: ${BANK}\r\nconnection: close\r\n\r\n`,
    )
    expect(answer).toMatch(
      /^HTTP\/1.1 405 [\s\S]*allow: DELETE, GET[\s\S]*request\.method-unsupported/i,
    )
  })

  it.each([
    ['garbage', 'hello\r\n\r\n', 400, 'request.malformed'],
    [
      'a NUL in a header',
      `GET ${ECHO} HTTP/1.1\r\nhost: x\r\na: \0\r\n\r\n`,
      400,
      'request.malformed',
    ],
    [
      'two lengths',
      `POST ${ECHO} HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n`,
      400,
      'request.malformed',
    ],
    [
      'a length and chunks',
      `POST ${ECHO} HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n`,
      400,
      'request.malformed',
    ],
    [
      'bytes above ASCII in the path',
      `GET ${ECHO}/\xe1\x9e\x80 HTTP/1.1\r\nhost: x\r\nx-road-client: ${BANK}\r\nconnection: close\r\n\r\n`,
      400,
      'request.',
    ],
  ])('%s, with an answer like any other', async (_name, text, status, code) => {
    const before = f.register.calls.length
    const answer = await sendBytes(f.client.httpPort, Buffer.from(text, 'latin1'))
    expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `))
    expect(answer).toMatch(/x-road-error: client\./i)
    expect(answer).toContain(`(${code}`)
    expect(f.register.calls.length).toBe(before)
  })

  it('a body that stops arriving, after the idle timeout', async () => {
    const answer = await sendBytes(
      f.client.httpPort,
      `POST ${ECHO} HTTP/1.1\r\nhost: x\r\nx-road-client: ${BANK}\r\ncontent-length: 10\r\n\r\nhalf`,
    )
    expect(answer).toMatch(/^HTTP\/1.1 408 [\s\S]*request\.timeout/)
  })
})

describe('a refusal', () => {
  it('reaches who is still sending a large body, whichever side refuses', async () => {
    const body = Buffer.alloc(4_000_000)
    for (let i = 0; i < 10; i += 1) {
      const nogrant = await f.call(`/r1/${REGISTRY}/nogrant`, { method: 'POST', body })
      expect(nogrant.body.toString('utf8')).toContain('(access.denied)')
      const unknown = await f.call(`/r1/${REGISTRY}/nothing`, { method: 'POST', body })
      expect(unknown.body.toString('utf8')).toContain('(service.unknown)')
    }
  })

  it('is a problem document for who asks for one, with code, side and remedy', async () => {
    const rawHeaders = ['X-Road-Client', BANK, 'Accept', 'application/problem+json']
    const { headers, body } = await f.call(`/r1/${REGISTRY}/nogrant`, { rawHeaders })
    expect(headers['content-type']).toBe('application/problem+json')
    expect(JSON.parse(body.toString('utf8'))).toMatchObject({
      type: 'urn:spean:error:access.denied',
      code: 'access.denied',
      status: 403,
      origin: 'provider-gateway',
      fault: 'server.serverproxy.access_denied',
      remedy: expect.any(String) as string,
      exchangeId: headers['x-road-request-id'],
    })
  })

  it('is XML for who asks for that, as X-Road has it', async () => {
    const rawHeaders = ['X-Road-Client', BANK, 'Accept', 'text/xml']
    const { headers, body } = await f.call(`/r1/${REGISTRY}/nogrant`, { rawHeaders })
    expect(headers['content-type']).toBe('text/xml;charset=utf-8')
    const type = '<error><type>server.serverproxy.access_denied</type><message>'
    expect(body.toString('utf8')).toContain(type)
  })
})

describe('a grant for the whole service', () => {
  it.each(['/a%2Fb', '//a', '/a%252Fb', '/%E1%9E%80'])('lets %s pass unaltered', async (path) => {
    const before = f.register.calls.length
    expect((await f.call(`${ECHO}${path}`)).status).toBe(200)
    expect(f.register.calls[before]?.url).toBe(`/base${path}`)
  })
})
