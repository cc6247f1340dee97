import { decodeJwt } from 'jose'
import { beforeEach, describe, expect, it } from 'vitest'
import { createLogger } from '../../runtime/logger.ts'
import { createChanges, type Change, type Changes } from '../../service-catalogue/changes.ts'
import { openDatabase } from '../../service-catalogue/database.ts'
import type { Database } from '../../runtime/sqlite-database.ts'
import { openPublisher, type Publisher } from '../../service-catalogue/publisher.ts'
import { openSnapshotKey, type SnapshotKey } from '../../service-catalogue/snapshot-key.ts'
import { keptSnapshot, newestSigned, storeSnapshot } from '../../service-catalogue/snapshot-log.ts'
import { temporaryFolder } from './support.ts'

const logger = createLogger('catalogue', 'silent')
const terms = { instance: 'KH-DEV', lifetimeMs: 3_600_000 }
const now = new Date('2026-01-01T00:00:00Z')
const clock = (): Date => now

let db: Database
let key: SnapshotKey
/** What happens before a signature is made: tests hold it up, or let it fail. */
let beforeSigning: () => Promise<void>
let publisher: Publisher
let changes: Changes

beforeEach(async () => {
  const stateDir = temporaryFolder()
  db = openDatabase(stateDir, terms.instance)
  const real = await openSnapshotKey(stateDir, false)
  beforeSigning = async () => {}
  key = { ...real, sign: async (payload) => (await beforeSigning(), real.sign(payload)) }
  publisher = await openPublisher({ db, key, terms, clock, logger })
  changes = createChanges({ db, terms, clock, publisher, logger, onCommitted: async () => {} })
})

const member = (id: string): Change<{ name: string }> => ({
  action: 'put-member',
  subject: `member ${id}`,
  read: () => db.get('SELECT name FROM member WHERE id = ?', id),
  apply: () => db.run('INSERT INTO member VALUES (?, ?)', id, 'x'),
})
const published = (from: Publisher) => decodeJwt(from.current().body.toString())

describe('a change', () => {
  it('is answered only when its snapshot is published', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    beforeSigning = () => promise
    let answered = false
    const answer = changes.put(member('A')).then((reply) => ((answered = true), reply))
    await new Promise((done) => setTimeout(done, 50))
    expect([answered, publisher.current().number]).toEqual([false, 1])
    resolve()
    expect((await answer).status).toBe(201)
    expect(publisher.current().number).toBe(2)
  })

  it('that could not be signed is not lost: the next round publishes it under its number', async () => {
    beforeSigning = () => Promise.reject(new TypeError('no key today'))
    await expect(changes.put(member('A'))).rejects.toThrow(TypeError)
    expect(publisher.current().number).toBe(1)
    beforeSigning = async () => {}
    await publisher.refresh()
    expect(publisher.current().number).toBe(2)
    expect(published(publisher).members).toMatchObject([{ id: 'A' }])
  })

  it('that was committed before a crash is published by the next start, under its number', async () => {
    await new Promise<void>((reached) => {
      beforeSigning = () => new Promise(() => reached()) // the program dies here
      void changes.put(member('A'))
    })
    beforeSigning = async () => {}
    const restarted = await openPublisher({ db, key, terms, clock, logger })
    expect(restarted.current().number).toBe(2)
    expect(published(restarted).members).toMatchObject([{ id: 'A' }])
    expect(db.all('SELECT snapshotNumber AS n FROM event')).toEqual([{ n: 2 }])
  })

  it('shares its snapshot with those that come while one is signed, and none is answered before', async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    beforeSigning = () => (reached.resolve(), promise)
    const first = changes.put(member('A'))
    await reached.promise
    const others = ['B', 'C', 'D'].map((id) => changes.put(member(id)))
    resolve()
    await first
    expect(published(publisher).members).toMatchObject([{ id: 'A' }])
    await Promise.all(others)
    expect(published(publisher)).toMatchObject({
      number: 3,
      members: ['A', 'B', 'C', 'D'].map((id) => ({ id })),
    })
    expect(db.all('SELECT snapshotNumber AS n FROM event')).toEqual(
      [2, 3, 3, 3].map((n) => ({ n })),
    )
  })

  it('goes on above a number from elsewhere, also while some wait for theirs', async () => {
    const resume = (from: number): Promise<void> =>
      changes.resume({ actor: 'operator', action: 'resume', subject: `above ${from}` }, from)
    const { promise, resolve } = Promise.withResolvers<void>()
    const reached = Promise.withResolvers<void>()
    beforeSigning = () => (reached.resolve(), promise)
    const all = [changes.put(member('A'))]
    await reached.promise
    const others = [changes.put(member('B')), resume(2), changes.put(member('C'))]
    // A number that is claimed and not taken yet is one that gateways may have had from elsewhere
    others.push(resume(3), resume(50))
    expect(db.all('SELECT snapshotNumber AS n FROM event')).toEqual(
      [2, 3, 3, 3, 4, 51].map((n) => ({ n })),
    )
    resolve()
    await Promise.all([...all, ...others])
    expect(published(publisher)).toMatchObject({
      number: 51,
      members: ['A', 'B', 'C'].map((id) => ({ id })),
    })
    expect(db.all('SELECT number AS n FROM snapshot')).toEqual([1, 2, 51].map((n) => ({ n })))
    await resume(51)
    expect(publisher.current().number).toBe(52)
  })

  it('that fails leaves neither number nor event behind', async () => {
    await changes.put(member('A'))
    const failing = { ...member('B'), read: () => undefined }
    await changes.put(failing)
    await expect(changes.put(failing)).rejects.toThrow()
    expect(publisher.current().number).toBe(3)
    expect(db.all('SELECT * FROM event')).toHaveLength(2)
  })
})

describe('the store', () => {
  const store = (number: number, jws: string): void =>
    storeSnapshot(db, { number, issuedAt: '', expiresAt: '', jws }, { count: 20, bytes: 4000 })
  const kept = () => db.get('SELECT count(*) AS n, min(number) AS low FROM snapshot')

  it('keeps the last snapshots', () => {
    for (let number = 2; number <= 41; number++) store(number, 'jws')
    expect(kept()).toEqual({ n: 20, low: 22 })
  })

  it('keeps fewer of large ones, and the newest however large it is', () => {
    const large = 'x'.repeat(1000)
    for (let number = 2; number <= 7; number++) store(number, large)
    expect(kept()).toEqual({ n: 4, low: 4 })
    store(8, `${large.repeat(4)}y`)
    expect(kept()).toEqual({ n: 1, low: 8 })
    expect([keptSnapshot(db, 7), newestSigned(db)?.number]).toEqual([undefined, 8])
  })

  it('lets nobody change or remove events', async () => {
    await changes.put(member('A'))
    expect(() => db.run('DELETE FROM event')).toThrow(/append-only/)
    expect(() => db.run("UPDATE event SET actor = 'x'")).toThrow(/append-only/)
  })
})
