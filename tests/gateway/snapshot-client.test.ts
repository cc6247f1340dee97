import { createHash } from 'node:crypto'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { openSnapshotClient, type SnapshotClient } from '../../gateway/catalogue/snapshot-client.ts'
import { openAuthority } from '../../pki/authority/authority.ts'
import { listen } from '../../runtime/lifecycle.ts'
import { temporaryFolder } from '../pki/support.ts'
import { obtain } from '../support/certificates.ts'
import { silent } from './support.ts'

let client: SnapshotClient
let asked: number
/** What the catalogue gives for every description. */
let served: { status: number; body: string | Buffer }

beforeEach(async () => {
  await using resources = new AsyncDisposableStack()
  const authority = await openAuthority({
    instance: 'KH-TEST',
    stateDir: join(temporaryFolder(), 'authority'),
    publicUrl: () => 'http://127.0.0.1:1',
    clock: () => new Date(),
  })
  resources.use(authority)
  const identity = { instance: 'KH-TEST', memberClass: 'GOV', member: 'OPERATOR' }
  const { cert, key } = await obtain(authority, { kind: 'server', identity })
  asked = 0
  const server = createServer({ cert, key }, (request, response) => {
    const isDescription = request.url?.startsWith('/descriptions/')
    if (isDescription) asked += 1
    response.writeHead(isDescription ? served.status : 503)
    response.end(isDescription ? served.body : '')
  })
  const { port } = resources.use(await listen(server, 0))
  client = resources.use(
    await openSnapshotClient({
      anchor: {
        instance: 'KH-TEST',
        catalogueUrl: `https://127.0.0.1:${port}`,
        keys: [],
        rootCertificates: [authority.root.pem],
      },
      dir: temporaryFolder(),
      pollSeconds: 1,
      clock: () => new Date(),
      logger: silent,
    }),
  )
  const open = resources.move()
  return () => open.disposeAsync()
})

const BODY = '{"openapi":"3.0.3"}'
const DIGEST = createHash('sha256').update(BODY).digest('base64url')

describe('a service description', () => {
  it('is asked for once, and then kept', async () => {
    served = { status: 200, body: BODY }
    for (let i = 0; i < 3; i += 1) expect((await client.description(DIGEST)).toString()).toBe(BODY)
    expect(asked).toBe(1)
  })

  it.each([
    ['another document', 200, `${BODY} `],
    ['the document with another status', 404, BODY],
  ])('is not %s, and that is not kept', async (_name, status, body) => {
    served = { status, body }
    const missing = { code: 'service.description-missing' }
    await expect(client.description(DIGEST)).rejects.toMatchObject(missing)
    served = { status: 200, body: BODY }
    expect((await client.description(DIGEST)).toString()).toBe(BODY)
  })

  it('that is longer than anybody reads is refused', async () => {
    served = { status: 200, body: Buffer.alloc(11_000_000) }
    const attempt = client.description(DIGEST)
    await expect(attempt).rejects.toMatchObject({ code: 'catalogue.unavailable' })
  })
})
