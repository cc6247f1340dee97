/** A gateway that starts, and witnesses that are away, come back, or lie. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startCheck, type StartCheck } from '../../gateway/transparency/start-check.ts'
import { NOTE_TYPE } from '../../protocol/signed-note.ts'
import type { TlogPolicy } from '../../protocol/tlog-policy.ts'
import type { WitnessKey } from '../../witness/witness.ts'
import { createKey, logger } from '../witness/keys.ts'
import { ORIGIN, startWitness, temporaryFolder } from '../witness/support.ts'
import { openOwnLog, policyOf, startLiar, until, type OwnLog } from './cosigning-support.ts'

const check = ({ guard }: OwnLog, policy: TlogPolicy, holdMs = 60_000): StartCheck =>
  startCheck({ policy, others: policy.witnesses, guard, logger, holdMs, retryMs: 20 })

/** A log of nine records, as a witness saw it. */
async function seen(key: WitnessKey, policy: TlogPolicy): Promise<void> {
  await using log = await openOwnLog({ key })
  await log.append(9)
  const cosigning = log.cosign(policy)
  await log.integrate()
  await until(() => cosigning.health().witnessedSize === 9)
}

describe('a store of an older copy, started while its witness is away', () => {
  it('signs nothing of what it takes, and takes nothing more once the witness is back', async () => {
    const key = createKey(ORIGIN, NOTE_TYPE.ed25519)
    const file = join(temporaryFolder(), 'witness.db')
    const logs = [key.verifier]
    const witness = await startWitness({ logs, file })
    const policy = policyOf(key, 1, witness)
    await seen(key, policy)
    await witness[Symbol.asyncDispose]()
    await using old = await openOwnLog({ key })
    await using start = check(old, policy)
    await old.append(4)
    await old.integrate(start.isHolding)
    expect(await old.tree.head()).toBeUndefined()
    const { key: ofWitness, port } = witness
    await using _back = await startWitness({ logs, file, port, key: ofWitness })
    await until(() => !start.isHolding())
    expect(old.guard.rolledBack?.shown?.note).toContain('\n9\n')
    await old.integrate(start.isHolding)
    expect(await old.tree.head()).toBeUndefined()
    await expect(old.append(1)).rejects.toMatchObject({ code: 'log.behind-witnesses' })
  })
})

describe('a start', () => {
  it('goes on at once with witnesses that know this past, or nothing', async () => {
    await using log = await openOwnLog()
    await using witness = await startWitness({ logs: [log.key.verifier] })
    await using start = check(log, policyOf(log.key, 1, witness))
    await start.waited
    expect(start.isHolding()).toBe(false)
    expect(log.guard.rolledBack).toBeUndefined()
    await log.append(1)
    await log.integrate(start.isHolding)
    expect((await log.tree.head())?.size).toBe(1)
  })

  it('waits for as many as the policy asks for; who lies is not heard', async () => {
    await using log = await openOwnLog()
    await using witness = await startWitness({ logs: [log.key.verifier] })
    await using liar = await startLiar((_, response) => void response.end('no checkpoint\n'))
    await using start = check(log, policyOf(log.key, 2, witness, liar))
    await start.waited
    await new Promise((done) => setTimeout(done, 200))
    expect(start.isHolding()).toBe(true)
    await using one = check(log, policyOf(log.key, 1, liar, witness))
    await one.waited
    expect(one.isHolding()).toBe(false)
  })

  it('signs after a while without them: a log has no time-stamps before', async () => {
    await using log = await openOwnLog()
    await using liar = await startLiar((request) => void request.socket.destroy())
    await using start = check(log, policyOf(log.key, 1, liar), 300)
    await start.waited
    expect(start.isHolding()).toBe(true)
    await until(() => !start.isHolding())
    await log.append(1)
    await log.integrate(start.isHolding)
    expect((await log.tree.head())?.size).toBe(1)
  })

  it('waits for nobody when there is nobody to ask', async () => {
    await using log = await openOwnLog()
    await using none = startCheck({ policy: undefined, others: [], guard: log.guard, logger })
    expect(none.isHolding()).toBe(false)
    await none.waited
  })
})
