/** Two faults that X-Road shows as something else: each names its cause, the side it is on, and what to do. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createTsa } from '../pki/tsp-support.ts'
import { approvedOf, GATEWAY_ID, openStampedLog } from '../gateway/log-stamper-support.ts'
import {
  startTimeStampingServer,
  type TimeStampingServer,
} from '../support/time-stamping-server.ts'

let server: TimeStampingServer
beforeAll(async () => {
  server = await startTimeStampingServer()
})
afterAll(() => server[Symbol.asyncDispose]())

describe('a time-stamping authority that has changed its certificate', () => {
  it('is told with its name, its address, and the certificate that wants approval', async () => {
    const approved = approvedOf('national-tsa', server)
    await using stamped = await openStampedLog([approved])
    using next = await createTsa('P-256', { days: 400 })
    server.serve(next.open())
    await stamped.append(1)
    await stamped.stamper.stampNow()
    const { fault } = stamped.stamper.health()
    expect(fault?.code).toBe('timestamp.untrusted')
    expect(fault?.detail).toContain(`gateway ${GATEWAY_ID}`)
    expect(fault?.detail).toContain(`time-stamping authority national-tsa at ${server.url}`)
    expect(fault?.detail).toContain(next.certificate.subject)
    expect(fault?.detail).toContain(next.certificate.notAfter.toISOString())
    expect(fault?.remedy).toContain('spean timestamper add')
    expect(await stamped.stamps.last()).toBeUndefined()

    // Approved, it is asked at once: what failed was another approval.
    stamped.approved = [{ ...approved, certificates: [server.tsa.certificate, next.certificate] }]
    await stamped.stamper.stampNow()
    const kept = await stamped.stamps.last()
    expect(kept).toMatchObject({ size: 1, authority: 'national-tsa' })
    expect(stamped.stamper.health().fault).toBeUndefined()
    server.serve(server.tsa.open())
  })
})

describe('a gateway without a time-stamping authority', () => {
  it.each([
    ['the catalogue approves none', [], []],
    ['it has no snapshot of the catalogue, which names them', undefined, []],
    ['its configuration names other, and the catalogue approves a', 'a', ['other']],
  ])('says so, and on which side: %s', async (why, approvedAs, authorities) => {
    const approved = typeof approvedAs === 'string' ? [approvedOf('a', server)] : approvedAs
    await using stamped = await openStampedLog(approved, { authorities })
    await stamped.stamper.stampNow()
    expect(stamped.stamper.health().fault).toBeUndefined() // nothing waits yet
    await stamped.append(1)
    await stamped.stamper.stampNow()
    expect(stamped.stamper.health().fault).toMatchObject({
      code: 'timestamp.none-configured',
      detail: `gateway ${GATEWAY_ID} has no time-stamping authority to ask: ${why}`,
      remedy: expect.stringMatching(/spean timestamper add.*timeStamping\.authorities/) as string,
    })
    expect(stamped.lines).toMatchObject([{ level: 'warn', code: 'timestamp.none-configured' }])
  })
})

describe('a time-stamping authority that refuses', () => {
  it('is told with the status and the failure bit in words', async () => {
    server.serve(server.tsa.open({ isClockTrusted: () => false }))
    await using stamped = await openStampedLog([approvedOf('national-tsa', server)])
    await stamped.append(1)
    await stamped.stamper.stampNow()
    const { fault } = stamped.stamper.health()
    expect(fault?.code).toBe('timestamp.refused')
    expect(fault?.detail).toMatch(/national-tsa at .*: it says rejection, timeNotAvailable: /)
    server.serve(server.tsa.open())
  })
})
