import { existsSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { expect, it, vi } from 'vitest'
import { createAnswerFiles } from '../../gateway/trust/answer-files.ts'
import { openOcspCache } from '../../gateway/trust/ocsp-cache.ts'
import { temporaryFolder } from '../pki/support.ts'
import { DAY_MS, HOUR_MS, shiftedClock } from '../support/clock.ts'
import { startResponder } from './ocsp-responder.ts'
import { silent } from './support.ts'

it('answers about certificates that are gone are removed at a start', () => {
  const dir = temporaryFolder()
  const at = (name: string): string => `${dir}/${name}.der`
  for (const name of ['old', 'new']) writeFileSync(at(name), 'answer')
  const now = new Date()
  const long = new Date(now.getTime() - 31 * DAY_MS)
  utimesSync(at('old'), long, long)
  createAnswerFiles(dir, HOUR_MS, now)
  expect([existsSync(at('old')), existsSync(at('new'))]).toEqual([false, true])
})

it('what nobody asked for in a day is forgotten, on disk too, once it is of no use in an outage', async () => {
  await using responder = await startResponder()
  const certificate = await responder.issue()
  const clock = shiftedClock()
  const dir = temporaryFolder()
  await using cache = openOcspCache({
    ...{ dir, gateway: 'KH-TEST/GOV/REG/REG-1', refreshSeconds: 300, outageMinutes: 48 * 60 },
    ...{ clock: clock.now, logger: silent },
  })
  const question = { certificate, issuer: responder.issuing, nonce: 'required' } as const
  await cache.check(question, clock.now())
  const files = (): number => (existsSync(dir) ? readdirSync(dir).length : 0)
  const looks = () => new Promise((done) => setTimeout(done, 2200))
  await vi.waitFor(() => expect(files()).toBe(1), 5000)
  clock.offsetMs = 25 * HOUR_MS
  await looks()
  expect([cache.health().length, files()]).toEqual([1, 1])
  clock.offsetMs = 49 * HOUR_MS
  await vi.waitFor(() => expect([cache.health().length, files()]).toEqual([0, 0]), 5000)
})
