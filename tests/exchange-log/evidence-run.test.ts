/** Which records are proved of an exchange, with the events that erased what was kept of them. */
import { expect, it } from 'vitest'
import { erases } from '../../exchange-log/evidence/erasures.ts'
import { findRun, isErasedBy } from '../../exchange-log/evidence/run.ts'
import { requestEntry, responseEntry } from '../contract/exchange-log-entries.ts'
import { temporaryFolder } from '../pki/support.ts'
import { bodyOf, message, openLog, random, type OpenLog } from './support.ts'

const ORDER = { actor: 'retention', reason: 'retention: KH/GOV/*' }

async function exchange({ log }: OpenLog, id: string): Promise<void> {
  const begun = await log.record(requestEntry(id), message(bodyOf(random(100))))
  await log.record(responseEntry(id, begun), message(bodyOf(random(100))))
}

async function found({ records }: OpenLog, id: string) {
  const { run } = (await findRun(id, undefined, records))!
  return [...run].map(([part, { position }]) => `${part} ${position}`)
}

it('finds the event by which retention erased many exchanges', async () => {
  await using open = await openLog(temporaryFolder())
  await exchange(open, 'a')
  await exchange(open, 'b')
  expect(await found(open, 'b')).toEqual(['request 3', 'response 4'])
  const all = await open.records.contents({ limit: 100 })
  await open.erasure.eraseContents(all, ORDER)
  expect(await found(open, 'b')).toEqual(['request 3', 'response 4', 'erasure 5'])
  const { run } = (await findRun('b', undefined, open.records))!
  expect([3, 4, 5].map((position) => isErasedBy(run, position))).toEqual([true, true, false])
})

it('finds both when request and response were not erased at once', async () => {
  await using open = await openLog(temporaryFolder())
  await exchange(open, 'a')
  const [first, second] = await open.records.contents({ limit: 100 })
  await open.erasure.eraseContents([first!], ORDER)
  expect(await found(open, 'a')).toEqual(['request 1', 'response 2', 'erasure 3'])
  await open.erasure.eraseContents([second!], ORDER)
  expect(await found(open, 'a')).toEqual(['request 1', 'response 2', 'erasure 3', 'erasure-2 4'])
})

it('finds none for content that went without one', async () => {
  await using open = await openLog(temporaryFolder())
  await exchange(open, 'a')
  await exchange(open, 'b')
  await open.erasure.eraseExchange('a', ORDER)
  await open.records.erase([3, 4])
  expect(await found(open, 'b')).toEqual(['request 3', 'response 4'])
  const { run } = (await findRun('b', undefined, open.records))!
  expect(isErasedBy(run, 3)).toBe(false)
})

it('finds none for content that a hold kept from what was recorded', async () => {
  await using open = await openLog(temporaryFolder())
  await exchange(open, 'a')
  const detail = JSON.stringify({ positions: [[1, 2]], reason: 'x' })
  const event = {
    exchangeId: crypto.randomUUID(),
    kind: 'erasure',
    at: new Date(),
    detail,
  } as const
  await open.log.recordEvent(event)
  expect(await found(open, 'a')).toEqual(['request 1', 'response 2'])
})

it('finds the event behind a thousand others', async () => {
  await using open = await openLog(temporaryFolder())
  await exchange(open, 'a')
  const detail = JSON.stringify({ positions: [[9000, 9001]], reason: 'x' })
  const event = {
    exchangeId: crypto.randomUUID(),
    kind: 'erasure',
    at: new Date(),
    detail,
  } as const
  await Promise.all(Array.from({ length: 1000 }, () => open.log.recordEvent(event)))
  await open.erasure.eraseExchange('a', ORDER)
  expect(await found(open, 'a')).toEqual(['request 1', 'response 2', 'erasure 1003'])
})

it.each([
  ['{"positions":[[1,2],[5,5]]}', true],
  ['{"positions":[[1,9007199254740991]]}', true],
  ['{"positions":[[1,4],[6,9]]}', false],
  ['{"positions":[[9,1]]}', false],
  ['{"positions":[[1,1e999]]}', false],
  ['{"positions":[["1","9"]]}', false],
  ['{"positions":[[1,9,2]]}', false],
  ['{"positions":5}', false],
  ['{}', false],
  ['null', false],
  ['no JSON', false],
  [undefined, false],
] as const)('%s erases position 5: %s', (detail, wanted) => {
  expect(erases(detail, 5)).toBe(wanted)
})
