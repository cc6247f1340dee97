import { decodeProtectedHeader, decodeJwt } from 'jose'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { canonicalJson } from '../../protocol/canonical-json.ts'
import { verifySnapshot } from '../../protocol/snapshot.ts'
import { readAnchor, startTestCatalogue, until, type Running } from './support.ts'

const HOUR_MS = 3_600_000

let running: Running
beforeEach(async () => {
  running = await startTestCatalogue()
})
afterEach(() => running[Symbol.asyncDispose]())

const putMember = (code: string): Promise<unknown> =>
  running.call('PUT', `/admin/members/GOV/${code}`, { body: { name: code } })
const conditional = (etag: string, prefer?: string) => ({
  token: undefined,
  headers: { 'if-none-match': etag, ...(prefer === undefined ? {} : { prefer }) },
})

describe('GET /snapshot', () => {
  it('serves a state that verifies against the anchor file, before anything is registered', async () => {
    const answer = await running.call('GET', '/snapshot', { token: undefined })
    expect(answer.status).toBe(200)
    expect(answer.headers.get('content-type')).toBe('application/jose')
    expect(answer.headers.get('cache-control')).toBe('no-cache')
    expect(await running.snapshot()).toEqual({
      version: 1,
      instance: 'KH-DEV',
      number: 1,
      issuedAt: running.clock.now.toISOString(),
      expiresAt: new Date(running.clock.now.getTime() + 24 * HOUR_MS).toISOString(),
      authorities: [],
      members: [],
      gateways: [],
      groups: [],
    })
  })

  it('is signed over canonical JSON under the key that the anchor names', async () => {
    await putMember('MOI')
    const { text } = await running.call('GET', '/snapshot')
    const { keys } = readAnchor(running.catalogue.anchorFile)
    expect(decodeProtectedHeader(text)).toEqual({
      alg: 'ES256',
      kid: keys[0]?.kid,
      typ: 'spean-snapshot',
    })
    const payload = Buffer.from(text.split('.')[1]!, 'base64url').toString()
    expect(payload).toBe(canonicalJson(decodeJwt(text)))
  })

  it('is refused by its reader when one character of it is changed', async () => {
    const { text } = await running.call('GET', '/snapshot')
    const [header, payload, signature] = text.split('.') as [string, string, string]
    const forged = [header, payload.replace(/.$/, (c) => (c === 'A' ? 'B' : 'A')), signature]
    await expect(
      verifySnapshot(forged.join('.'), readAnchor(running.catalogue.anchorFile)),
    ).rejects.toMatchObject({ code: 'catalogue.unavailable' })
  })

  it('sorts, whatever the order of registration', async () => {
    for (const code of ['MOI', 'ក្រសួង', 'AAA', 'MOC']) {
      await running.call('PUT', `/admin/members/GOV/${encodeURIComponent(code)}`, {
        body: { name: code },
      })
    }
    const { members, number } = await running.snapshot()
    expect(members.map(({ name }) => name)).toEqual(['AAA', 'MOC', 'MOI', 'ក្រសួង'])
    expect(number).toBe(5)
  })

  it('answers 304 to a caller that has it, and 200 with another tag after a change', async () => {
    const first = await running.call('GET', '/snapshot')
    const etag = first.headers.get('etag')!
    expect(etag).toMatch(/^"1-[\w-]{16}"$/)
    for (const same of [etag, `"other", ${etag}`, `W/${etag}`]) {
      const again = await running.call('GET', '/snapshot', conditional(same))
      expect([again.status, again.text, again.headers.get('etag')]).toEqual([304, '', etag])
    }
    await putMember('MOI')
    const next = await running.call('GET', '/snapshot', conditional(etag))
    expect(next.status).toBe(200)
    expect(next.headers.get('etag')).toMatch(/^"2-/)
  })

  it('holds a caller that prefers to wait until something changes', async () => {
    const etag = (await running.call('GET', '/snapshot')).headers.get('etag')!
    let answered = false
    const held = running.call('GET', '/snapshot', conditional(etag, 'wait=30')).then((answer) => {
      answered = true
      return answer
    })
    await running.call('GET', '/status')
    await new Promise((done) => setTimeout(done, 100))
    expect(answered).toBe(false)
    await putMember('MOI')
    const answer = await held
    expect([answer.status, answer.headers.get('preference-applied')]).toEqual([200, 'wait'])
    expect(answer.headers.get('etag')).toMatch(/^"2-/)
  })

  it('answers 304 when the wait is over', async () => {
    const etag = (await running.call('GET', '/snapshot')).headers.get('etag')!
    const begin = performance.now()
    const answer = await running.call('GET', '/snapshot', conditional(etag, 'wait=1'))
    expect([answer.status, answer.headers.get('preference-applied')]).toEqual([304, 'wait'])
    expect(performance.now() - begin).toBeGreaterThan(900)
  })

  it('does not hold a caller that has an old one', async () => {
    const answer = await running.call('GET', '/snapshot', conditional('"0-old"', 'wait=30'))
    expect([answer.status, answer.headers.get('preference-applied')]).toEqual([200, null])
  })

  it('forgets a caller that has gone', async () => {
    const etag = (await running.call('GET', '/snapshot')).headers.get('etag')!
    const signal = AbortSignal.timeout(50)
    const options = { ...conditional(etag, 'wait=30'), signal }
    await expect(running.call('GET', '/snapshot', options)).rejects.toThrow()
    await putMember('MOI')
    expect((await running.snapshot()).number).toBe(2)
  })

  it('releases who waits when the catalogue stops', async () => {
    const etag = (await running.call('GET', '/snapshot')).headers.get('etag')!
    const held = running.call('GET', '/snapshot', conditional(etag, 'wait=30'))
    await running.call('GET', '/status')
    await new Promise((done) => setTimeout(done, 50))
    const begin = performance.now()
    await running.catalogue[Symbol.asyncDispose]()
    expect((await held).status).toBe(304)
    expect(performance.now() - begin).toBeLessThan(5000)
  })
})

describe('the number of a snapshot', () => {
  it('goes up with each change, and stays when nothing changed', async () => {
    await putMember('MOI')
    const again = await running.call('PUT', '/admin/members/GOV/MOI', { body: { name: 'MOI' } })
    expect(again.status).toBe(200)
    expect((await running.snapshot()).number).toBe(2)
    const events = await running.call('GET', '/admin/events')
    expect(events.body.events).toHaveLength(1)
  })

  it('is published before the change is answered, however many come at once', async () => {
    const numbers = await Promise.all(
      Array.from({ length: 30 }, async (_, i) => {
        await putMember(`M${i}`)
        const { members, number } = await running.snapshot()
        expect(members.map(({ id }) => id)).toContain(`KH-DEV/GOV/M${i}`)
        return number
      }),
    )
    expect(Math.max(...numbers)).toBeLessThanOrEqual(31)
  })

  it('goes up when the same state is issued anew after a quarter of its life', async () => {
    await putMember('MOI')
    running.clock.now = new Date(running.clock.now.getTime() + 6 * HOUR_MS - 1)
    await new Promise((done) => setTimeout(done, 100))
    expect((await running.snapshot()).number).toBe(2)
    running.clock.now = new Date(running.clock.now.getTime() + 1)
    await until(() => running.catalogue.snapshotNumber() === 3)
    const { members, expiresAt } = await running.snapshot()
    expect(members).toHaveLength(1)
    expect(expiresAt).toBe(new Date(running.clock.now.getTime() + 24 * HOUR_MS).toISOString())
  })

  it('goes up once after a long sleep, and when the clock was set back', async () => {
    running.clock.now = new Date(running.clock.now.getTime() + 240 * HOUR_MS)
    await until(() => running.catalogue.snapshotNumber() === 2)
    running.clock.now = new Date(running.clock.now.getTime() - 100 * HOUR_MS)
    await until(() => running.catalogue.snapshotNumber() === 3)
    await new Promise((done) => setTimeout(done, 100))
    expect((await running.snapshot()).number).toBe(3)
  })

  it('wakes who waits when the state is issued anew', async () => {
    const etag = (await running.call('GET', '/snapshot')).headers.get('etag')!
    const held = running.call('GET', '/snapshot', conditional(etag, 'wait=30'))
    running.clock.now = new Date(running.clock.now.getTime() + 7 * HOUR_MS)
    expect((await held).status).toBe(200)
  })
})
