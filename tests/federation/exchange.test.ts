import { createHash, randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { METHODS } from '../../protocol/methods.ts'
import { BANK, REGISTRY, startFederation, type Federation } from '../support/federation.ts'
import { GZIPPED, type Call } from '../support/register.ts'

let f: Federation
beforeAll(async () => {
  f = await startFederation()
})
afterAll(() => f[Symbol.asyncDispose]())

const json = (body: Buffer): Call => JSON.parse(body.toString('utf8')) as Call

describe('an exchange', () => {
  it('comes back with the headers of the protocol, and is in both logs with both manifests', async () => {
    const { status, headers, rawHeaders } = await f.call(`/r1/${REGISTRY}/echo/a?b=c`)
    expect(status).toBe(200)
    expect(headers).toMatchObject({
      'x-road-client': BANK,
      'x-road-service': `${REGISTRY}/echo`,
      'x-road-id': expect.stringMatching(new RegExp(`^KH-TEST-`)) as string,
      'x-road-request-hash': expect.stringMatching(/^[A-Za-z0-9+/]{86}==$/) as string,
    })
    expect(rawHeaders.filter((name) => name.toLowerCase() === 'date')).toHaveLength(1)
    const id = String(headers['x-road-request-id'])
    const atClient = await f.client.entries(id)
    const atProvider = await f.provider.entries(id)
    expect(atClient.map(({ kind }) => kind)).toEqual(['request', 'response'])
    expect(atProvider.map(({ manifest }) => manifest)).toEqual(atClient.map((e) => e.manifest))
    expect(new Set(atClient.map((e) => e.manifest)).size).toBe(2)
    const hash = createHash('sha512').update(String(atClient[0]?.manifest)).digest('base64')
    expect(headers['x-road-request-hash']).toBe(hash)
  })

  it.each(METHODS)('passes a %s with its body, path and headers byte for byte', async (method) => {
    const body = method === 'TRACE' ? undefined : randomBytes(10_000)
    const path = '/%E1%9E%80?q=%2e%2e%2F&q=2'
    const before = f.register.calls.length
    const answer = await f.call(`/r1/${REGISTRY}/echo${path}`, {
      method,
      rawHeaders: ['X-Road-Client', BANK, 'X-Custom', 'caf\xe9', 'Authorization', 'Bearer x'],
      ...(body ? { body } : {}),
    })
    expect(answer.status).toBe(200)
    const [call] = f.register.calls.slice(before)
    expect(call).toMatchObject({ method, url: `/base${path}` })
    expect(call?.digest).toBe(
      createHash('sha256')
        .update(body ?? '')
        .digest('hex'),
    )
    expect(call?.rawHeaders.join('|')).toContain('x-custom|caf\xe9')
    expect(call?.rawHeaders.join('|')).toContain('authorization|Bearer x')
    if (method !== 'HEAD') expect(json(answer.body)).toEqual(call)
  })

  it.each([0, 1, 65_535, 65_536, 65_537, 3_000_000])(
    'passes a body of %i bytes both ways, in memory or on disk',
    async (size) => {
      const body = randomBytes(size)
      const answer = await f.call(`/r1/${REGISTRY}/echo/mirror`, { method: 'POST', body })
      expect(answer.status).toBe(200)
      expect(answer.headers['content-length']).toBe(String(size))
      expect(answer.body.equals(body)).toBe(true)
    },
  )

  it('hands on what the service says, and nothing that it may not say', async () => {
    const redirect = await f.call(`/r1/${REGISTRY}/echo/redirect`)
    expect(redirect).toMatchObject({ status: 302, headers: { location: '/base/elsewhere' } })
    const gzip = await f.call(`/r1/${REGISTRY}/echo/gzip`)
    expect(gzip.headers['content-encoding']).toBe('gzip')
    expect(gzip.body).toEqual(GZIPPED)
    const refusal = await f.call(`/r1/${REGISTRY}/echo/refuse`)
    expect(refusal).toMatchObject({ status: 409, body: Buffer.from('no') })
    expect(refusal.headers['x-road-error']).toBeUndefined()
    const empty = await f.call(`/r1/${REGISTRY}/echo/empty`)
    expect(empty.status).toBe(204)
    const forged = await f.call(`/r1/${REGISTRY}/echo/forged`)
    expect(forged.headers['x-road-service']).toBe(`${REGISTRY}/echo`)
    expect(forged.rawHeaders.join('|')).not.toMatch(/forged\|/)
  })

  it('keeps no cookie of one call for another', async () => {
    const first = await f.call(`/r1/${REGISTRY}/echo/cookie`)
    expect(first.headers['set-cookie']).toEqual(['a=1; Path=/', 'b=2'])
    const second = json((await f.call(`/r1/${REGISTRY}/echo`)).body)
    expect(second.rawHeaders.map((text) => text.toLowerCase())).not.toContain('cookie')
  })

  it('echoes the client’s own message id, and signs who asked, for whom and why', async () => {
    const said = ['X-Road-Id', 'my-id-1', 'X-Road-UserId', 'KH123', 'X-Road-Issue', 'case 7']
    const party = ['X-Road-Represented-Party', 'COM/PARTNER', 'Spean-Purpose', 'kyc']
    const rawHeaders = ['X-Road-Client', BANK, ...said, ...party]
    const { headers } = await f.call(`/r1/${REGISTRY}/echo`, { rawHeaders })
    expect(headers['x-road-id']).toBe('my-id-1')
    const [request] = await f.provider.entries(String(headers['x-road-request-id']))
    const payload = Buffer.from(String(request?.manifest).split('.')[1]!, 'base64url')
    expect(JSON.parse(payload.toString('utf8'))).toMatchObject({
      messageId: 'my-id-1',
      userId: 'KH123',
      issue: 'case 7',
      representedParty: 'COM/PARTNER',
      purpose: 'kyc',
    })
  })
})
