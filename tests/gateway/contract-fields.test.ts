import { beforeEach, describe, expect, it } from 'vitest'
import { requestExchange } from '../../gateway/exchange.ts'
import { createDescriptions } from '../../gateway/validation/descriptions.ts'
import { createValidation } from '../../gateway/validation/validation.ts'
import type { Contract } from '../../protocol/contract.ts'
import { BANK, pairOfGateways, SERVICE, silent, textBody, type Pair } from './support.ts'

const FIELDS = ['/name', '/address/city', '/children/*/name']
const CONTRACT: Contract = {
  version: 1,
  kind: 'contract',
  id: '01a206cc-083d-72a8-8932-a6c940c296d0',
  client: `${BANK}/KYC`,
  service: SERVICE,
  endpoints: [{ method: 'POST', path: '/persons/*', fields: FIELDS }],
  purposes: [],
  validFrom: '2026-01-01T00:00:00Z',
  validUntil: '2027-01-01T00:00:00Z',
  otherFields: 'strip',
  reason: 'kyc',
}
const PERSON =
  '{"name":"សុខ", "salary":7, "address":{"city":"ភ្នំពេញ","street":"x"}, "children":[{"name":"a","id":1}]}'

let pair: Pair
let counted: unknown[]
beforeEach(async () => {
  pair = await pairOfGateways()
  counted = []
})

/** A service that answers `body`, called under a contract. */
function serve(
  changes: Partial<Contract>,
  body: string,
  { status = 200, headers = [['content-type', 'application/json']] as [string, string][] } = {},
): void {
  const contract = { ...CONTRACT, ...changes }
  const fetch = (): Promise<Buffer> => Promise.reject(new TypeError('there is none'))
  const descriptions = createDescriptions({ fetch, logger: silent })
  const real = createValidation({ descriptions, count: (labels) => void counted.push(labels) })
  Object.assign(pair.provider.gw, {
    services: { call: async () => ({ status, headers, body: textBody(body) }) },
    validation: {
      request: (served: never) => real.request(served),
      answer: (a: object) => real.answer({ ...a, contract } as never),
    },
  })
}
async function call(): Promise<{ text: string; findings: string | undefined }> {
  const { answer } = await requestExchange(pair.asked(), pair.client.gw)
  const findings = answer.headers.find(([name]) => name === 'spean-findings')?.[1]
  return { text: String(answer.body.bytes), findings }
}

describe('what a contract does not allow', () => {
  it('is not in the answer that the client gets, and both sides have the finding', async () => {
    serve({}, PERSON)
    const { text, findings } = await call()
    expect(text).toBe('{"name":"សុខ", "address":{"city":"ភ្នំពេញ"}, "children":[{"name":"a"}]}')
    const said =
      'answer: 3 findings: body /salary contract; body /address/street contract; body /children/*/id contract'
    expect(findings).toBe(said)
    for (const { log } of [pair.client, pair.provider]) {
      expect(log.at(-1)).toMatchObject({ kind: 'response', status: 200, detail: said })
    }
    expect(counted).toEqual([{ service: SERVICE, message: 'answer', outcome: 'removed' }])
  })

  it('refuses the answer when the contract says so', async () => {
    serve({ otherFields: 'refuse' }, PERSON)
    await expect(call()).rejects.toMatchObject({ code: 'validation.answer-invalid' })
    for (const { log } of [pair.client, pair.provider]) {
      expect(log.at(-1)).toMatchObject({ kind: 'refusal', code: 'validation.answer-invalid' })
      expect(log.at(-1)?.detail).toContain('body /salary contract')
    }
  })

  it.each([
    ['no JSON', 'name=a', 'text/plain'],
    ['broken JSON', '{"name":', 'application/json'],
    ['a name twice', '{"name":1,"name":{"salary":7}}', 'application/json'],
    ['a single value', '"secret"', 'application/json'],
  ])(
    'can not be told of %s: the answer is refused, whatever the contract',
    async (_, body, type) => {
      serve({}, body, { headers: [['content-type', type]] })
      await expect(call()).rejects.toMatchObject({ code: 'validation.answer-invalid' })
    },
  )

  it('leaves what a refusal of the service says of itself', async () => {
    const problem = '{"type":"about:blank","title":"no","status":404,"person":"010203001"}'
    const headers: [string, string][] = [['content-type', 'application/problem+json']]
    serve({}, problem, { status: 404, headers })
    expect((await call()).text).toBe('{"type":"about:blank","title":"no","status":404}')
  })

  it('is nothing when an endpoint that covers the call has no fields', async () => {
    serve({ endpoints: [...CONTRACT.endpoints, { method: '*', path: '/**' }] }, PERSON)
    expect(await call()).toEqual({ text: PERSON, findings: undefined })
  })

  it('is signed for as it is handed on: no digest of the service’s own stays', async () => {
    serve({}, PERSON, {
      headers: [
        ['content-digest', 'sha-256=:x:'],
        ['content-type', 'application/json'],
      ],
    })
    const { answer } = await requestExchange(pair.asked(), pair.client.gw)
    expect(answer.headers.map(([name]) => name)).not.toContain('content-digest')
  })
})

it('a description that cannot be used is compiled once, one that cannot be fetched is tried again', async () => {
  let fetched = 0
  const bytes = Buffer.from('{"openapi":"2.0"}')
  const descriptions = createDescriptions({
    fetch: async (digest) => {
      fetched += 1
      if (digest === 'away') throw new TypeError('away')
      return bytes
    },
    logger: silent,
    maxKept: 2,
  })
  const bad = { code: 'service.description-missing' }
  await expect(descriptions.get('bad')).rejects.toMatchObject(bad)
  await expect(descriptions.get('bad')).rejects.toMatchObject(bad)
  expect(fetched).toBe(1)
  await expect(descriptions.get('away')).rejects.toThrow('away')
  await expect(descriptions.get('away')).rejects.toThrow('away')
  expect(fetched).toBe(3)
  await descriptions.prepare(['a', 'b', 'c'])
  expect(fetched).toBe(5)
})
