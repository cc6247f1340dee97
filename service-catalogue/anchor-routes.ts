import { ANCHOR_MEDIA_TYPE } from '../protocol/anchor-statement.ts'
import { bodyParser, type ApiReply, type ApiRequest, type Route } from '../runtime/admin-api.ts'
import { unknown } from './changes.ts'
import type { CatalogueContext } from './context.ts'
import { invalid } from './input.ts'

const parseForce = bodyParser<{ force?: boolean }>({
  type: 'object',
  additionalProperties: false,
  properties: { force: { type: 'boolean', nullable: true } },
})
const parseNothing = bodyParser<object>({ type: 'object', additionalProperties: false })
const parseFrom = bodyParser<{ from: number }>({
  type: 'object',
  additionalProperties: false,
  required: ['from'],
  properties: { from: { type: 'integer', minimum: 1 } },
})

/** A slip of the operator must not leave gateways without numbers: they never go back. */
const FARTHEST_JUMP = 1_000_000_000

/** The keys that gateways believe, and how they change (protocol/README.md §7.10). */
export function createAnchorRoutes(context: CatalogueContext): Route[] {
  const { db, key, rotation, changes, publisher, reports } = context
  const describe = (): ApiReply => ({
    body: {
      ...rotation.describe(),
      gateways: db
        .all<{ id: string }>('SELECT id FROM gateway ORDER BY id')
        .map(({ id: gateway }) => reports.of(gateway) ?? { gateway }),
    },
  })
  const step = (name: string, work: (request: ApiRequest) => Promise<void>): Route => ({
    method: 'POST',
    path: `/admin/anchor/${name}`,
    access: 'admin',
    handle: async (request) => {
      await work(request)
      return describe()
    },
  })
  const readForce = ({ body }: ApiRequest): { force: boolean } => ({
    force: parseForce(body ?? {}).force ?? false,
  })
  return [
    {
      method: 'GET',
      path: '/anchors/:number',
      access: 'public',
      handle: ({ params: { number = '' } }) => {
        const isNumber = /^[1-9]\d{0,15}$/.test(number)
        const statement = isNumber ? key.ledger.statement(Number(number)) : undefined
        if (statement === undefined) throw unknown(`statement about an anchor ${number}`)
        const headers = { 'content-type': ANCHOR_MEDIA_TYPE, 'cache-control': 'no-cache' }
        return { headers, body: statement }
      },
    },
    { method: 'GET', path: '/admin/anchor', access: 'auditor', handle: describe },
    step('prepare', async ({ body }) => {
      parseNothing(body ?? {})
      await rotation.prepare()
    }),
    step('switch', (request) => rotation.switch(readForce(request))),
    step('retire', (request) => rotation.retire(readForce(request))),
    step('replace', async ({ body }) => {
      parseNothing(body ?? {})
      await rotation.replace()
    }),
    {
      method: 'POST',
      path: '/admin/snapshot-number',
      access: 'admin',
      handle: async ({ body }) => {
        const { from } = parseFrom(body)
        const { number } = publisher.current()
        if (from < number) throw invalid('from', `snapshots are at ${number} already`)
        if (from > number + FARTHEST_JUMP) {
          throw invalid(
            'from',
            `is more than ${FARTHEST_JUMP} above ${number}, where snapshots are`,
          )
        }
        await changes.resume({ action: 'resume-snapshots', subject: `above ${from}` }, from)
        return { body: { snapshotNumber: publisher.current().number } }
      },
    },
  ]
}
