import { Readable } from 'node:stream'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Asked, Complete, Identified, Resolved } from '../../gateway/exchange-state.ts'
import type { ClientGateway } from '../../gateway/ports.ts'
import { identifyClient } from '../../gateway/steps/identify-client.ts'
import { readRequest } from '../../gateway/steps/read-request.ts'
import { receiveBody } from '../../gateway/steps/receive-body.ts'
import { resolveService } from '../../gateway/steps/resolve-service.ts'
import { signRequest } from '../../gateway/steps/sign-request.ts'
import { ExchangeError, type ErrorCode } from '../../protocol/errors.ts'
import { valuesOf } from '../../protocol/header-block.ts'
import { createLeaf, NOW } from '../pki/support.ts'
import { BANK, CLIENT, ID, pairOfGateways, REGISTRY, SERVICE, type Pair } from './support.ts'

let pair: Pair
let gw: ClientGateway
beforeEach(async () => {
  pair = await pairOfGateways()
  gw = pair.client.gw
})
const from = (...rawHeaders: string[]): Partial<Asked> => ({ rawHeaders })
const asClient = (id: string) => from('x-road-client', id)
const identify = (changes: Partial<Asked>) => identifyClient(readRequest(pair.asked(changes)), gw)
const refusing = (code: ErrorCode) => async (): Promise<never> => {
  throw new ExchangeError(code, 'no')
}
const error = (code: ErrorCode) => expect.objectContaining({ code }) as unknown

describe('read-request', () => {
  it('gives the call its ids, and drops the ones that only gateways set', () => {
    const forged = ['X-Road-Request-Id', 'forged', 'X-Road-Request-Hash', 'forged']
    const own = from('X-Road-Client', CLIENT, ...forged, 'Spean-Manifest', 'forged')
    const { headers, messageId } = readRequest(pair.asked(own))
    expect(messageId).toBe(`KH-TEST-${ID}`)
    expect(headers).toEqual([
      ['x-road-client', CLIENT],
      ['x-road-id', messageId],
      ['x-road-request-id', ID],
    ])
  })

  it.each([0, 2])('refuses a call with %i Host headers', (count) => {
    const rawHeaders = [
      'x-road-client',
      CLIENT,
      ...Array<string[]>(count).fill(['host', 'h']).flat(),
    ]
    expect(() => readRequest({ ...pair.asked(), rawHeaders })).toThrow(error('request.malformed'))
  })

  it('keeps the client’s own message id byte for byte', () => {
    const latin1 = Buffer.from('លេខ ១', 'utf8').toString('latin1')
    const read = readRequest(pair.asked(from('X-Road-Client', CLIENT, 'X-Road-Id', latin1)))
    expect(read.messageId).toBe('លេខ ១')
    expect(valuesOf(read.headers, 'x-road-id')).toEqual([latin1])
  })
})

describe('identify-client', () => {
  it.each([
    ['KH-TEST/COM/NOBODY', 'client.unknown'],
    [`${BANK}/NOTHING`, 'client.unknown'],
    [`${BANK}/ELSEWHERE`, 'client.not-served'],
    [`${REGISTRY}/POP`, 'client.not-served'],
  ] as const)('refuses %s: %s', async (id, code) => {
    await expect(identify(asClient(id))).rejects.toMatchObject({ code })
  })

  it('lets a member be a client, and a subsystem, over plain HTTP by name alone', async () => {
    expect((await identify(asClient(BANK))).client).not.toHaveProperty('subsystem')
    expect((await identify({})).catalogue).toBe(pair.view)
  })

  it('refuses the catalogue’s refusal, asked as of the time of receipt', async () => {
    const asked: Date[] = []
    const atLeast = (_number: number, at: Date): Promise<never> => {
      asked.push(at)
      return Promise.reject(new ExchangeError('catalogue.expired', 'over'))
    }
    gw = { ...gw, catalogue: { ...gw.catalogue, atLeast } }
    await expect(identify({})).rejects.toMatchObject({ code: 'catalogue.expired' })
    expect(asked).toEqual([NOW])
  })

  it('asks over TLS for a certificate that is registered for the client and good', async () => {
    const { leaf } = await createLeaf()
    const tls = { overTls: true, certificate: leaf.der }
    const verified: unknown[] = []
    const verify = async (...question: unknown[]): Promise<void> => void verified.push(question)
    const isRegistered = (...system: unknown[]): boolean =>
      system.join() === [CLIENT, leaf.thumbprint].join()
    gw = { ...gw, informationSystems: { isRegistered }, trust: { verify } }
    await identify(tls)
    expect(verified).toEqual([[leaf, 'information-system', NOW]])
    const missing = identify({ overTls: true })
    await expect(missing).rejects.toMatchObject({ code: 'client.certificate-missing' })
    const unreadable = identify({ ...tls, certificate: Buffer.from('x') })
    await expect(unreadable).rejects.toMatchObject({ code: 'certificate.untrusted' })
    const elsewhere = identify({ ...tls, ...asClient(BANK) })
    await expect(elsewhere).rejects.toMatchObject({ code: 'client.certificate-unregistered' })
    expect(verified).toHaveLength(1)
    gw = { ...gw, trust: { verify: refusing('certificate.revoked') } }
    await expect(identify(tls)).rejects.toMatchObject({ code: 'certificate.revoked' })
  })
})

async function resolve(path: string, ...rawHeaders: string[]): Promise<Resolved> {
  const rawTarget = `/r1/${path}`
  return resolveService(
    await identify({ rawTarget, ...from('x-road-client', CLIENT, ...rawHeaders) }),
  )
}

describe('resolve-service', () => {
  it('finds the gateways of the service in the order of the snapshot', async () => {
    const ids = (await resolve(SERVICE)).gateways.map(({ id }) => id)
    expect(ids).toEqual([`${REGISTRY}/REG-1`, `${REGISTRY}/REG-2`])
  })

  it('takes the gateway that the client asks for', async () => {
    const asked = ['X-Road-Security-Server', `${REGISTRY}/REG-2`]
    expect((await resolve(SERVICE, ...asked)).gateways.map(({ id }) => id)).toEqual(asked.slice(1))
  })

  it('needs no service in the catalogue for metadata', async () => {
    expect((await resolve(`${REGISTRY}/POP/listMethods`)).gateways).toHaveLength(2)
  })

  it.each([
    ['a subsystem that there is not', `${REGISTRY}/NOTHING/echo`, 'provider.unknown'],
    ['metadata of a subsystem that there is not', `${REGISTRY}/NO/listMethods`, 'provider.unknown'],
    ['a service that there is not', `${REGISTRY}/POP/nothing`, 'service.unknown'],
    ['a service of another subsystem', `${BANK}/KYC/echo`, 'service.unknown'],
    ['a subsystem of no gateway', `${REGISTRY}/UNSERVED/echo`, 'provider.no-gateway'],
  ])('refuses %s', async (_name, path, code) => {
    await expect(resolve(path)).rejects.toMatchObject({ code })
  })

  it('refuses a gateway that is not the provider’s', async () => {
    const asked = ['X-Road-Security-Server', `${BANK}/BANK-1`]
    await expect(resolve(SERVICE, ...asked)).rejects.toMatchObject({ code: 'provider.no-gateway' })
  })
})

describe('receive-body', () => {
  it('takes no body with TRACE, and any with another method', async () => {
    const resolved = await resolve(SERVICE)
    const trace = { ...resolved, method: 'TRACE' } as const
    const attempt = receiveBody({ ...trace, stream: Readable.from([Buffer.from('x')]) }, gw.bodies)
    await expect(attempt).rejects.toMatchObject({ code: 'request.malformed' })
    expect((await receiveBody({ ...trace, stream: Readable.from([]) }, gw.bodies)).body.size).toBe(
      0,
    )
    expect((await receiveBody(resolved, gw.bodies)).body.size).toBe(8)
  })
})

describe('sign-request', () => {
  const complete = async (...rawHeaders: string[]): Promise<Complete> =>
    receiveBody(await resolve(SERVICE, ...rawHeaders), gw.bodies)

  it('says in the manifest what the headers say, and nothing that they do not', async () => {
    const said = ['X-Road-UserId', 'KH1', 'X-Road-Issue', 'case', 'Spean-Purpose', 'kyc']
    const party = ['X-Road-Represented-Party', 'COM/X']
    const { request } = await signRequest(await complete(...said, ...party), gw)
    expect(request).toMatchObject({
      userId: 'KH1',
      issue: 'case',
      purpose: 'kyc',
      representedParty: 'COM/X',
      gateway: `${BANK}/BANK-1`,
      snapshot: 7,
    })
    const bare = (await signRequest(await complete(), gw)).request
    expect(Object.keys(bare).filter((name) => name in request && !(name in bare))).toEqual([])
    for (const name of ['userId', 'issue', 'purpose', 'representedParty']) {
      expect(bare).not.toHaveProperty(name)
    }
  })

  it('refuses what does not fit a manifest', async () => {
    const state = await complete()
    const call = { ...state.call, issue: 'x'.repeat(40_000) }
    await expect(signRequest({ ...state, call }, gw)).rejects.toMatchObject({
      code: 'request.headers-too-large',
    })
  })
})

describe('an identified client', () => {
  it('uses one snapshot from beginning to end', async () => {
    const identified: Identified = await identify({})
    expect(resolveService(identified).catalogue).toBe(identified.catalogue)
  })
})
