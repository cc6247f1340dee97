/** What signatures are judged by, from real answers of a responder into the store on disk. */
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { beforeEach, describe, expect, it } from 'vitest'
import { openSqliteValidationStore } from '../../exchange-log/validation-store-sqlite.ts'
import type { ValidationStore } from '../../exchange-log/validation-store.ts'
import type { Answer } from '../../gateway/trust/known-state.ts'
import { createOcspClient } from '../../gateway/trust/ocsp-client.ts'
import { startValidationKeeper } from '../../gateway/trust/validation-keeper.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { readOcspProducedAt } from '../../pki/ocsp-verify.ts'
import { temporaryFolder } from '../pki/support.ts'
import { MINUTE_MS } from '../support/clock.ts'
import { startResponder, type Responder } from './ocsp-responder.ts'
import { silent } from './support.ts'

let responder: Responder
let file: string
let store: ValidationStore
beforeEach(async () => {
  responder = await startResponder()
  file = join(temporaryFolder(), 'validation.db')
  store = openSqliteValidationStore(file)
  return async () => {
    await store[Symbol.asyncDispose]()
    await responder[Symbol.asyncDispose]()
  }
})

const start = () =>
  startValidationKeeper({ store, refreshSeconds: 300, logger: silent, retryMs: 20 })

async function answerAbout(certificate: Certificate): Promise<Answer> {
  await using client = createOcspClient(responder.clock.now)
  return await client.ask({ certificate, issuer: responder.issuing, nonce: 'required' })
}
function rows(sql: string): number {
  const db = new DatabaseSync(file)
  const { n } = db.prepare(`SELECT count(*) AS n FROM ${sql}`).get() as { n: number }
  db.close()
  return n
}

describe('what a signature was judged by', () => {
  it('is in the store a moment later: the path, and the answer under its own time', async () => {
    const leaf = await responder.issue()
    const answer = await answerAbout(leaf)
    await using keeper = start()
    keeper.used([leaf, responder.issuing], answer)
    await expect.poll(() => keeper.health()).toEqual({ waiting: 0, fault: undefined })
    expect(await store.certificate(leaf.thumbprint)).toEqual(leaf.der)
    expect(await store.certificate(responder.issuing.thumbprint)).toEqual(responder.issuing.der)
    const producedAt = readOcspProducedAt(answer.der)
    const kept = { thumbprint: leaf.thumbprint, producedAt, der: answer.der }
    expect(await store.ocspAnswer(leaf.thumbprint, new Date())).toEqual(kept)
    expect(await store.ocspAnswer(leaf.thumbprint, new Date(0))).toEqual(kept)
  })

  it('is kept once in a refresh period, however many exchanges there are', async () => {
    const leaf = await responder.issue()
    {
      await using keeper = start()
      for (const minutes of [0, 1, 2, 4]) {
        responder.clock.offsetMs = minutes * MINUTE_MS
        const answer = await answerAbout(leaf)
        for (let i = 0; i < 50; i += 1) keeper.used([leaf, responder.issuing], answer)
      }
      responder.clock.offsetMs = 6 * MINUTE_MS
      keeper.used([leaf, responder.issuing], await answerAbout(leaf))
    }
    expect([rows('certificate'), rows('ocspAnswer')]).toEqual([2, 2])
  })

  it('waits for the next answer when none was at hand, and for no other', async () => {
    const [leaf, other] = [await responder.issue(), await responder.issue()]
    {
      await using keeper = start()
      keeper.used([leaf, responder.issuing], undefined)
      keeper.heard(other, await answerAbout(other))
      keeper.heard(leaf, await answerAbout(leaf))
    }
    expect(await store.ocspAnswer(leaf.thumbprint, new Date())).toBeDefined()
    expect(await store.ocspAnswer(other.thumbprint, new Date())).toBeUndefined()
  })

  it('is written when the store takes it again, and says meanwhile that it waits', async () => {
    const leaf = await responder.issue()
    await using keeper = start()
    const other = new DatabaseSync(file)
    other.exec('BEGIN IMMEDIATE')
    keeper.used([leaf, responder.issuing], await answerAbout(leaf))
    await expect.poll(() => keeper.health().fault, { timeout: 15_000 }).toMatch(/locked|busy/)
    expect(keeper.health().waiting).toBe(3)
    other.exec('ROLLBACK')
    other.close()
    await expect.poll(() => keeper.health(), { timeout: 15_000 }).toEqual({ waiting: 0 })
    expect([rows('certificate'), rows('ocspAnswer')]).toEqual([2, 1])
  }, 40_000)
})
