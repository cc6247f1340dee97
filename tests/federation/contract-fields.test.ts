/** Fields of answers that a contract does not have never leave the provider; both sides can prove that they were there. */
import { createServer } from 'node:http'
import { expect, it } from 'vitest'
import { listen } from '../../runtime/lifecycle.ts'
import { addContractSteps } from '../support/contracts.ts'
import { REGISTRY, startFederation } from '../support/federation.ts'

it('a field that the provider adds later is stripped or refused, as the contract says', async () => {
  let person: object = { name: 'សុខ', address: { province: '12' } }
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(person))
  })
  await using register = await listen(server, 0)
  await using f = await startFederation()
  await f.addService('people', { url: `http://127.0.0.1:${register.port}`, grant: null })
  await f.addService('strict', { url: `http://127.0.0.1:${register.port}`, grant: null })
  await f.settled()
  const steps = addContractSteps(f)
  const fields = ['/name', '/address/province']
  const endpoints = [{ method: 'GET', path: '/one', fields }]
  const strict = { service: `${REGISTRY}/strict`, otherFields: 'refuse' }
  await steps.inForce({ endpoints, otherFields: 'strip' })
  await steps.inForce({ ...strict, endpoints })
  const before = await steps.call()
  expect([before.headers['spean-findings'], JSON.parse(before.body.toString())]).toEqual([
    undefined,
    person,
  ])

  person = { name: 'សុខ', address: { province: '12', street: '7' }, salary: 400 }
  const answer = await steps.call()
  expect(answer.status).toBe(200)
  expect(JSON.parse(answer.body.toString())).toEqual({ name: 'សុខ', address: { province: '12' } })
  const told = String(answer.headers['spean-findings'])
  expect(told).toMatch(/^answer: 2 findings: /)
  expect(told).toContain('/salary')
  expect(told).toContain('/address/street')
  const exchangeId = String(answer.headers['x-road-request-id'])
  for (const gateway of [f.client, f.provider]) {
    const records = await gateway.entries(exchangeId)
    const response = records.find(({ kind }) => kind === 'response')
    expect(JSON.stringify(response)).toContain('/salary')
    expect(JSON.stringify(response)).not.toContain('400,')
  }

  const refused = await steps.refusal({ service: 'strict' })
  expect(refused).toMatchObject({ code: 'validation.answer-invalid', status: 502 })
  expect(refused.detail).toContain('/salary')
})
