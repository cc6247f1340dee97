/** What members do about contracts, in a federation of tests. */
import { sign, type KeyObject } from 'node:crypto'
import { expect, vi } from 'vitest'
import type { Contract, ContractStatement } from '../../protocol/contract.ts'
import {
  addSignature,
  contractSigningInput,
  CONTRACT_TYPE,
  unsignedDocument,
  type SignedDocument,
} from '../../protocol/contract-jws.ts'
import { ecdsaDerToRaw } from '../../protocol/jws.ts'
import { apiPath } from '../../runtime/api-client.ts'
import { BANK, REGISTRY, type Federation, type TestGateway } from './federation.ts'
import type { Answer } from './http.ts'

export interface SeenContract {
  readonly id: string
  readonly digest: string
  readonly state: string
}
export interface ContractSteps {
  /** The bank asks; `GET /*` of people by default. */
  readonly ask: (terms?: object) => Promise<SeenContract>
  readonly approve: (id: string) => Promise<SeenContract>
  /** Waits until a gateway has a contract in a state. */
  readonly arrived: (gateway: TestGateway, id: string, state: string) => Promise<SeenContract>
  /** Waits until both have it in force. */
  readonly agreed: (id: string) => Promise<SeenContract>
  readonly inForce: (terms?: object) => Promise<SeenContract>
  readonly call: (call?: Call) => Promise<Answer>
  readonly refusal: (call?: Call) => Promise<{ code: string; detail: string; status: number }>
}
interface Call {
  readonly service?: string
  readonly path?: string
  readonly purpose?: string | undefined
}

export function addContractSteps(f: Federation): ContractSteps {
  const call: ContractSteps['call'] = (options = {}) => {
    const { service = 'people', path = '/one' } = options
    const purpose = 'purpose' in options ? options.purpose : 'kyc'
    return f.call(`/r1/${REGISTRY}/${service}${path}`, {
      rawHeaders: [
        ...['X-Road-Client', BANK, 'Accept', 'application/problem+json'],
        ...(purpose === undefined ? [] : ['Spean-Purpose', purpose]),
      ],
    })
  }
  const ask: ContractSteps['ask'] = (terms = {}) =>
    f.client.admin.call('POST', '/admin/contracts', {
      client: BANK,
      service: `${REGISTRY}/people`,
      endpoints: [{ method: 'GET', path: '/one' }],
      validUntil: '2999-01-01T00:00:00Z',
      reason: 'we have to know our customers',
      ...terms,
    })
  const arrived: ContractSteps['arrived'] = (gateway, id, state) =>
    vi.waitFor(
      async () => {
        const path = apiPath('/admin/contracts', id)
        const seen = await gateway.admin.call<SeenContract>('GET', path)
        expect(seen.state).toBe(state)
        return seen
      },
      { timeout: 10_000, interval: 20 },
    )
  const approve: ContractSteps['approve'] = (id) =>
    f.provider.admin.call('POST', apiPath('/admin/contracts', id, 'approve'), {})
  const agreed: ContractSteps['agreed'] = async (id) => {
    await arrived(f.provider, id, 'in-force')
    const seen = await arrived(f.client, id, 'in-force')
    await vi.waitFor(async () => {
      const path = apiPath('/admin/contracts', id)
      const { handedIn } = await f.client.admin.call<{ handedIn: boolean }>('GET', path)
      expect(handedIn).toBe(true)
    })
    return seen
  }
  return {
    ...{ ask, approve, arrived, agreed, call },
    inForce: async (terms) => {
      const { id } = await ask(terms)
      await arrived(f.provider, id, 'requested')
      await approve(id)
      return agreed(id)
    },
    refusal: async (options) => {
      const { status, body } = await call(options)
      expect(status).toBeGreaterThanOrEqual(400)
      const problem = JSON.parse(body.toString('utf8')) as { code: string; detail: string }
      return { ...problem, status }
    },
  }
}

export interface ContractSignerOfTests {
  readonly member: string
  readonly thumbprint: string
  readonly privateKey: KeyObject
  readonly signedAt?: Date
}

/** Signed by whoever, with P-256 keys. */
export function signedContract<T extends Contract | ContractStatement>(
  content: T,
  ...signers: readonly ContractSignerOfTests[]
): SignedDocument<T> {
  const unsigned = unsignedDocument(content)
  let document: SignedDocument<T> = { ...unsigned, signatures: [] }
  for (const { member, thumbprint, privateKey, signedAt = new Date() } of signers) {
    const iat = Math.floor(signedAt.getTime() / 1000)
    const header = {
      alg: 'ES256',
      iat,
      kid: member,
      typ: CONTRACT_TYPE,
      'x5t#S256': thumbprint,
    } as const
    const input = Buffer.from(contractSigningInput(header, unsigned.payload), 'ascii')
    document = addSignature(document, header, ecdsaDerToRaw(sign('sha256', input, privateKey), 32))
  }
  return document
}

/** A contract that is right in every clause. */
export function contractOf(changes: Partial<Contract> = {}): Contract {
  return {
    version: 1,
    kind: 'contract',
    id: crypto.randomUUID(),
    client: BANK,
    service: `${REGISTRY}/people`,
    endpoints: [{ method: 'GET', path: '/one' }],
    purposes: ['kyc'],
    validFrom: '2020-01-01T00:00:00Z',
    validUntil: '2999-01-01T00:00:00Z',
    otherFields: 'strip',
    reason: 'for a test',
    ...changes,
  }
}
