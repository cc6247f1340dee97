import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { createTimeStampClient } from '../../gateway/time-stamps/time-stamp-client.ts'
import { createTspRequest, parseTspRequest } from '../../pki/tsp-request.ts'
import { systemClock } from '../../runtime/clock.ts'
import { startTimeStampingServer } from '../support/time-stamping-server.ts'
import { approvedOf } from './log-stamper-support.ts'

const DIGEST = createHash('sha256').update('records').digest()

it('a token that answers another request for the same records is refused', async () => {
  await using server = await startTimeStampingServer()
  await using client = createTimeStampClient({ clock: systemClock })
  const authority = approvedOf('national', server)
  expect((await client.stamp(authority, DIGEST)).tsa.serial).toBe(server.tsa.certificate.serial)

  const stamping = server.tsa.open({ stateFile: `${server.tsa.folder}/other.db` })
  server.serve({
    answer: async (request) => {
      const { digest } = parseTspRequest(request).imprint
      const nonce = Buffer.alloc(8, 1)
      return stamping.answer(createTspRequest({ hash: 'sha256', digest, nonce, certReq: true }))
    },
    [Symbol.dispose]: () => stamping[Symbol.dispose](),
  })
  await expect(client.stamp(authority, DIGEST)).rejects.toMatchObject({ code: 'timestamp.invalid' })
})
