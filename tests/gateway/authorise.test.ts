import { beforeAll, describe, expect, it } from 'vitest'
import type { Fresh, Grant, Permitted } from '../../gateway/exchange-state.ts'
import type { ProviderGateway } from '../../gateway/ports.ts'
import { authorise } from '../../gateway/steps/authorise.ts'
import { readClientId } from '../../protocol/identifiers.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import type { Endpoint } from '../../protocol/snapshot.ts'
import { parseTarget } from '../../protocol/target.ts'
import { NOW } from '../pki/support.ts'
import { BANK, CLIENT, pairOfGateways, REGISTRY, SERVICE, type Pair } from './support.ts'

let pair: Pair
beforeAll(async () => {
  pair = await pairOfGateways()
})

interface Call {
  readonly client?: string
  readonly service?: string
  readonly method?: string
  readonly path?: string
}

/** Id of the grant that lets a call pass; undefined for a call that needs none. */
function grantFor(
  grants: Grant[],
  call: Call = {},
  gw: ProviderGateway = pair.provider.gw,
): string | undefined {
  const { client = CLIENT, service = SERVICE, method = 'GET', path = '/persons/1' } = call
  const fresh = {
    catalogue: pair.view,
    client: readClientId(client),
    target: parseTarget(`/r1/${service}${path}`),
    request: { method, client },
    rawHeaders: [],
    headers: [],
  } as unknown as Fresh
  const accessRules = {
    grantsFor: (wanted: string, subjects: readonly string[]) =>
      grants.filter((g) => g.service === wanted && subjects.includes(g.subject)),
  }
  return (authorise(fresh, { ...gw, accessRules }) as Permitted).grant?.id
}

const grant = (id: string, subject: string, ...endpoints: string[]): Grant => ({
  id,
  subject,
  service: SERVICE,
  endpoints: (endpoints.length === 0 ? ['* /**'] : endpoints).map(endpoint),
  grantedAt: NOW,
})
function endpoint(text: string): Endpoint {
  const [method = '', path = ''] = text.split(' ')
  return { method, path }
}
const refused = (code: string) => expect.objectContaining({ code }) as unknown
const denied = (): unknown => refused('access.denied')

describe('authorise', () => {
  it('refuses by default', () => {
    expect(() => grantFor([])).toThrow(denied())
  })

  it.each([
    ['the subsystem', CLIENT],
    ['its member', BANK],
    ['a group of the subsystem', 'group:banks'],
    ['a group of the member', 'group:members'],
  ])('lets pass by a grant to %s', (_name, subject) => {
    expect(grantFor([grant('g', subject)])).toBe('g')
  })

  it.each([
    ['another subsystem of the member', `${BANK}/ELSEWHERE`],
    ['another member', REGISTRY],
    ['a group that the client is not in', 'group:ministries'],
    ['a group’s code without its mark', 'banks'],
  ])('does not let pass by a grant to %s', (_name, subject) => {
    expect(() => grantFor([grant('g', subject)])).toThrow(denied())
  })

  it('does not let a member pass by a grant to its subsystem', () => {
    expect(() => grantFor([grant('g', CLIENT)], { client: BANK })).toThrow(denied())
    expect(grantFor([grant('g', BANK)], { client: BANK })).toBe('g')
  })

  it('does not let pass by a grant on another service', () => {
    const other = { ...grant('g', CLIENT), service: `${REGISTRY}/POP/other` }
    expect(() => grantFor([other])).toThrow(denied())
  })

  it.each([
    ['GET /persons/*', 'GET', '/persons/1', true],
    ['GET /persons/*', 'POST', '/persons/1', false],
    ['GET /persons/*', 'HEAD', '/persons/1', false],
    ['* /persons/*', 'DELETE', '/persons/1', true],
    ['GET /persons/*', 'GET', '/persons', false],
    ['GET /persons/*', 'GET', '/persons/1/photo', false],
    ['GET /persons/**', 'GET', '/persons/1/photo', true],
    ['GET /persons/**', 'GET', '/person', false],
    ['GET /', 'GET', '', true],
    ['GET /**', 'POST', '/persons/1', false],
    ['POST /**', 'POST', '/a%2Fb', true],
  ])('%s covers %s %s: %s', (pattern, method, path, covered) => {
    const attempt = () => grantFor([grant('g', CLIENT, pattern)], { method, path })
    if (covered) expect(attempt()).toBe('g')
    else expect(attempt).toThrow(denied())
  })

  it('looks through all grants and all of their endpoints', () => {
    const grants = [
      grant('client', CLIENT, 'GET /orders'),
      grant('member', BANK, 'POST /persons/*', 'GET /persons/*'),
    ]
    expect(grantFor(grants)).toBe('member')
  })

  it('refuses an ambiguous path under grants with paths', () => {
    const grants = [grant('g', CLIENT, 'GET /persons/*'), grant('h', BANK, 'GET /a/**')]
    expect(() => grantFor(grants, { path: '/persons/1%2F2' })).toThrow(
      refused('access.path-ambiguous'),
    )
  })

  it.each(['GET /**', '* /**'])(
    'lets an ambiguous path pass by %s, whichever grant stands first',
    (everything) => {
      const wide = grant('wide', BANK, everything)
      const limited = grant('limited', CLIENT, 'GET /persons/*')
      const call = { path: '/persons/1%2F2' }
      expect(grantFor([limited, wide], call)).toBe('wide')
      expect(grantFor([wide, limited], call)).toBe('wide')
    },
  )

  it('lets no ambiguous path pass by a grant of everything for another method', () => {
    const grants = [grant('wide', BANK, 'POST /**'), grant('limited', CLIENT, 'GET /persons/*')]
    expect(() => grantFor(grants, { path: '/persons/1%2F2' })).toThrow(
      refused('access.path-ambiguous'),
    )
  })

  it.each(['listMethods', 'allowedMethods', 'getOpenAPI'])('lets everybody ask %s', (code) => {
    expect(grantFor([], { service: `${REGISTRY}/POP/${code}` })).toBeUndefined()
  })

  it.each(['UNSERVED', 'NOTHING'])(
    'refuses a subsystem that it does not speak for, granted or not: %s',
    (subsystem) => {
      for (const code of ['echo', 'listMethods']) {
        const service = `${REGISTRY}/${subsystem}/${code}`
        const granted = { ...grant('g', CLIENT), service }
        expect(() => grantFor([granted], { service })).toThrow(refused('provider.unknown'))
      }
    },
  )

  it('refuses before the call when it could not sign the answer', () => {
    const { signer } = pair.provider.gw
    const verifyCanSign = (): never => {
      throw new ExchangeError('gateway.certificate-unsuitable', 'none')
    }
    const signers = [
      ['provider.signer-missing', { ...signer, isSignerOf: () => false }],
      ['gateway.certificate-unsuitable', { ...signer, verifyCanSign }],
    ] as const
    for (const [refusal, unable] of signers) {
      for (const code of ['echo', 'listMethods']) {
        const gw = { ...pair.provider.gw, signer: unable }
        const changes = { service: `${REGISTRY}/POP/${code}` }
        expect(() => grantFor([grant('g', CLIENT)], changes, gw)).toThrow(refused(refusal))
      }
    }
  })

  it('refuses a service that the catalogue has not, although it is granted', () => {
    const service = `${REGISTRY}/POP/removed`
    expect(() => grantFor([{ ...grant('g', CLIENT), service }], { service })).toThrow(
      refused('service.unknown'),
    )
  })
})
