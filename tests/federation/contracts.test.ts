/** Contracts between running gateways: asked for, narrowed, signed by both, enforced clause by clause, revoked. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { apiPath } from '../../runtime/api-client.ts'
import { BANK, REGISTRY, startFederation, type Federation } from '../support/federation.ts'
import { addContractSteps, type ContractSteps } from '../support/contracts.ts'

let f: Federation
let steps: ContractSteps
beforeAll(async () => {
  f = await startFederation()
  await f.addService('people', { grant: null })
  await f.addService('other', { grant: null })
  await f.settled()
  steps = addContractSteps(f)
})
afterAll(() => f[Symbol.asyncDispose]())

it('a request that is narrowed is signed by the client’s gateway alone, and its clauses hold', async () => {
  const { ask, refusal, agreed } = steps
  const request = await ask({ purposes: ['kyc', 'marketing'], quota: { perDay: 100 } })
  await steps.arrived(f.provider, request.id, 'requested')
  const narrowed = await f.provider.admin.call<{ id: string }>(
    'POST',
    apiPath('/admin/contracts', request.id, 'narrow'),
    { purposes: ['kyc'], quota: { perDay: 6 }, reason: 'six are enough' },
  )
  const { id, digest } = await agreed(narrowed.id)
  await steps.arrived(f.client, request.id, 'answered')

  for (let call = 1; call <= 6; call += 1) {
    const answer = await steps.call()
    expect(answer.status, answer.body.toString('utf8')).toBe(200)
    const [request] = await f.provider.entries(String(answer.headers['x-road-request-id']))
    const manifest = String(request?.manifest).split('.')[1]!
    expect(Buffer.from(manifest, 'base64url').toString('utf8')).toContain(`"contract":"${digest}"`)
  }
  const otherPurpose = await refusal({ purpose: 'marketing' })
  expect(otherPurpose).toMatchObject({ code: 'access.purpose-denied' })
  expect(otherPurpose.detail).toContain(id)
  expect(otherPurpose.detail).toContain('purposes are kyc, not marketing')
  expect(await refusal({ purpose: undefined })).toMatchObject({ code: 'access.purpose-missing' })
  expect(await refusal({ path: '/elsewhere' })).toMatchObject({ code: 'access.denied' })
  const seventh = await refusal()
  expect(seventh).toMatchObject({ code: 'access.quota-exceeded', status: 429 })
  expect(seventh.detail).toContain(`contract ${id} (${digest}) allows 6 calls in a day of UTC`)
})

it('a call after revocation is refused within two seconds, by contract and reason, on both sides', async () => {
  const { ask, agreed, approve, refusal } = steps
  const { id } = await ask({ purposes: [] })
  await steps.arrived(f.provider, id, 'requested')
  await approve(id)
  await agreed(id)
  expect((await steps.call({ purpose: undefined })).status).toBe(200)
  await f.provider.admin.call('POST', apiPath('/admin/contracts', id, 'revoke'), {
    reason: 'complaint 12',
  })
  const revokedAt = performance.now()
  const first = await refusal({ purpose: undefined })
  expect(first.code).toMatch(/^(contract.revoked|access.)/)
  await steps.arrived(f.client, id, 'revoked')
  expect(performance.now() - revokedAt).toBeLessThan(2000)
})

it('the client can end it too, and the provider’s gateway follows', async () => {
  const { id } = await steps.inForce({ service: `${REGISTRY}/other` })
  expect((await steps.call({ service: 'other' })).status).toBe(200)
  const path = apiPath('/admin/contracts', id, 'revoke')
  await f.client.admin.call('POST', path, { reason: 'the project has ended' })
  await steps.arrived(f.provider, id, 'revoked')
  expect(await steps.refusal({ service: 'other' })).toMatchObject({ code: 'contract.revoked' })
})

it('outlives restarts, and a catalogue that is gone', async () => {
  const { id } = await steps.inForce({ service: `${REGISTRY}/other` })
  await f.provider.restart()
  await f.client.restart()
  expect((await steps.call({ service: 'other' })).status).toBe(200)
  await f.catalogue[Symbol.asyncDispose]()
  expect((await steps.call({ service: 'other' })).status).toBe(200)
  const path = apiPath('/admin/contracts', id, 'revoke')
  await f.provider.admin.call('POST', path, { reason: 'without the catalogue' })
  const { code, detail } = await steps.refusal({ service: 'other' })
  expect(code).toBe('contract.revoked')
  expect(detail).toContain(id)
  expect(detail).toContain('without the catalogue')
  await f.provider.restart()
  expect(await steps.refusal({ service: 'other' })).toMatchObject({ code: 'contract.revoked' })
})

it('names clauses that an answer would widen, and who is to act', async () => {
  const { id } = await steps.ask({ service: `${REGISTRY}/people` })
  const asked = (verb: string, body: object) =>
    f.client.admin.call('POST', apiPath('/admin/contracts', id, verb), body)
  await expect(asked('approve', {})).rejects.toMatchObject({ code: 'contract.conflict' })
  await expect(asked('refuse', { reason: 'no' })).rejects.toMatchObject({
    code: 'contract.conflict',
  })
  await expect(steps.ask({ client: `${BANK}X` })).rejects.toMatchObject({ code: 'admin.invalid' })
  await expect(steps.ask({ validUntil: 'tomorrow' })).rejects.toThrow(/validUntil/)
})
