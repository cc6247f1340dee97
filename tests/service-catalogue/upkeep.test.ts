import { pino } from 'pino'
import { expect, it } from 'vitest'
import { startUpkeep } from '../../service-catalogue/upkeep.ts'
import { until } from './support.ts'

it('a check that fails is tried again and again, and told once for each cause', async () => {
  const lines: string[] = []
  const logger = pino({}, { write: (line) => void lines.push(line) })
  let cause: string | undefined = 'no room'
  let [failing, other] = [0, 0]
  const checks = [
    () => {
      failing += 1
      if (cause !== undefined) throw new TypeError(cause)
    },
    () => void (other += 1),
  ]
  {
    await using _upkeep = startUpkeep(checks, 1, logger)
    for (const next of ['no key', undefined, 'no key', undefined]) {
      const before = failing
      await until(() => failing > before + 2)
      cause = next
    }
    const before = failing
    await until(() => failing > before + 2)
  }
  expect(other).toBeGreaterThanOrEqual(failing - 1)
  const told = lines.map((line) => JSON.parse(line) as { msg: string; err?: { message: string } })
  expect(told.map(({ msg, err }) => err?.message ?? msg)).toEqual([
    'no room',
    'no key',
    'upkeep works again',
    'no key',
    'upkeep works again',
  ])
})
