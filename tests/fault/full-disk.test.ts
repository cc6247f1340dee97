import { randomBytes } from 'node:crypto'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../protocol/errors.ts'
import {
  REGISTRY,
  startFederation,
  type Federation,
  type TestGateway,
} from '../support/federation.ts'
import type { Answer } from '../support/http.ts'
import { expectRefusal } from '../support/refusals.ts'
import { mountSmallDisk } from '../support/small-disk.ts'

const PATH = `/r1/${REGISTRY}/echo`
const SIDES = ['client', 'provider'] as const

describe.each(SIDES)('when the disk of the %s gateway is full', (side) => {
  const startOn = (dir: string): Promise<Federation> =>
    startFederation({ [side]: { stateDir: join(dir, 'state') } })

  it('a body that does not fit is refused, and recorded; small ones go on', async () => {
    using disk = mountSmallDisk(3_000_000)
    await using f = await startOn(disk.dir)
    const body = randomBytes(3_500_000)
    const code: ErrorCode = 'storage.unavailable'
    await expectRefusal(f, {
      name: code,
      send: () => f.call(PATH, { method: 'POST', body }),
      code,
      by: side,
    })
    expect(readdirSync(join(disk.dir, 'state', 'spool'))).toEqual([])
    expect((await f.call(PATH, { method: 'POST', body: body.subarray(0, 200_000) })).status).toBe(
      200,
    )
  })

  it('a body that is sent but does not fit into the log is refused, and leaves nothing behind', async () => {
    // Room for the body on its way, and not for keeping it as well.
    using disk = mountSmallDisk(14_000_000)
    const ballast = join(disk.dir, 'more')
    writeFileSync(ballast, Buffer.alloc(8_000_000))
    await using f = await startOn(disk.dir)
    const body = randomBytes(2_500_000)
    const refused = await f.call(PATH, { method: 'POST', body })
    expect(refused.body.toString('utf8')).toContain('(log.unavailable)')
    expect(refused.status).toBe(503)
    expect(f.register.calls).toEqual([])
    await expectRecorded(f[side], refused)
    const small = body.subarray(0, 200_000)
    expect((await f.call(PATH, { method: 'POST', body: small })).status).toBe(200)
    rmSync(ballast)
    await f[side].restart()
    expect((await f.call(PATH, { method: 'POST', body: small })).status).toBe(200)
    using db = new DatabaseSync(join(disk.dir, 'state', 'exchange-log.db'), { readOnly: true })
    const unnamed = `SELECT count(*) AS n FROM content WHERE owner < 0
      AND owner NOT IN (SELECT staged FROM record WHERE staged IS NOT NULL)`
    expect(db.prepare(unnamed).get()).toEqual({ n: 0 })
  })

  it('nothing is handed on that cannot be recorded; with room again, exchanges go on', async () => {
    using disk = mountSmallDisk(3_000_000)
    await using f = await startOn(disk.dir)
    expect((await f.call(PATH)).status).toBe(200)
    disk.fill()
    // What the store has set aside already may take some entries yet.
    let answer = await f.call(PATH)
    for (let i = 0; answer.status === 200 && i < 2000; i += 1) answer = await f.call(PATH)
    const calls = f.register.calls.length
    answer = await f.call(PATH)
    expect(answer.body.toString('utf8')).toContain('(log.unavailable)')
    expect(answer.status).toBe(503)
    expect(f.register.calls.length).toBe(calls)
    disk.clear()
    expect((await f.call(PATH)).status).toBe(200)
    await expectRecorded(f[side], answer)
  })
})

/** Soon, that is: the refusal is kept until the log takes entries again. */
async function expectRecorded(gateway: TestGateway, { body }: Answer): Promise<void> {
  const { detail: id } = JSON.parse(body.toString('utf8')) as { detail: string }
  const path = `/admin/log?id=${encodeURIComponent(id)}`
  await expect
    .poll(async () => (await gateway.admin.call<{ exchanges: object[] }>('GET', path)).exchanges, {
      timeout: 10_000,
    })
    .toEqual([expect.objectContaining({ outcome: 'refused', code: 'log.unavailable' })])
}
