/** Witnesses whose clock or memory is wrong for a while. */
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { createKey } from '../witness/keys.ts'
import { startWitness } from '../witness/support.ts'
import { openOwnLog, policyOf, startLiar, until } from './cosigning-support.ts'

it('a cosignature of a time to come is none, until the clock of the witness is right', async () => {
  await using log = await openOwnLog()
  let offsetMs = 360_000
  const clock = (): Date => new Date(Date.now() + offsetMs)
  await using ahead = await startWitness({ logs: [log.key.verifier], clock })
  const cosigning = log.cosign(policyOf(log.key, 1, ahead))
  await log.append(2)
  await log.integrate()
  await until(() => cosigning.health().witnesses[0]!.fault !== undefined)
  expect((await log.tree.head())?.cosignatures).toEqual([])
  offsetMs = 0
  await until(() => cosigning.health().witnessedSize === 2)
  expect((await log.tree.head())?.cosignatures).toHaveLength(1)
})

it('a size that a witness never had is believed once', async () => {
  await using log = await openOwnLog()
  const key = createKey('late')
  await using honest = await startWitness({ logs: [log.key.verifier], key })
  let lies = 1
  await using liar = await startLiar(async (request, response) => {
    const body = await text(request)
    if (request.method === 'GET') return void response.writeHead(404).end()
    if ((lies -= 1) >= 0) return void response.writeHead(409).end('99999\n')
    const { status, text: answer } = await honest.witness.addCheckpoint(body)
    response.writeHead(status).end(answer)
  })
  const cosigning = log.cosign(policyOf(log.key, 1, { key, url: liar.url }))
  await log.append(3)
  await log.integrate()
  await until(() => cosigning.health().witnessedSize === 3)
  expect(lies).toBeLessThan(0)
  expect(log.guard.rolledBack).toBeUndefined()
})

it('a witness that another replica asked about a newer checkpoint has no fault', async () => {
  await using log = await openOwnLog()
  await using witness = await startWitness({ logs: [log.key.verifier] })
  await log.append(2)
  await log.integrate()
  const cosigning = log.cosign(policyOf(log.key, 1, witness))
  const replica = log.cosign(policyOf(log.key, 1, witness))
  const faults = new Set<string | undefined>()
  for (let size = 3; size < 60; size += 1) {
    await log.append(1)
    await log.integrate()
    cosigning.wake()
    replica.wake()
    for (const { witnesses } of [cosigning.health(), replica.health()]) {
      faults.add(witnesses[0]!.fault)
    }
  }
  await until(() => cosigning.health().witnessedSize === 59)
  expect([...faults]).toEqual([undefined])
})
