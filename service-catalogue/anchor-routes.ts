import { ANCHOR_MEDIA_TYPE } from '../protocol/anchor-statement.ts'
import { bodyParser, type ApiReply, type ApiRequest, type Route } from '../runtime/admin-api.ts'
import {
  json,
  listOf,
  anyObject,
  named,
  object,
  oneOf,
  text,
  time,
  whole,
  type RouteDescription,
} from '../runtime/route-description.ts'
import { unknown } from './changes.ts'
import type { CatalogueContext } from './context.ts'
import { FARTHEST_JUMP } from './gateway-reports.ts'
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

const STATE = named(
  'AnchorState',
  object({
    number: { ...whole, description: 'Of the anchor that is announced now.' },
    keys: listOf(
      object(
        { kid: text, state: oneOf('current', 'next', 'previous', 'retired'), from: whole },
        { until: whole },
      ),
    ),
    gateways: listOf(object({ gateway: text }, { anchor: whole, snapshot: whole, at: time })),
  }),
)

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
  const step = (
    name: string,
    about: Pick<RouteDescription, 'summary' | 'body'>,
    work: (request: ApiRequest) => Promise<void>,
  ): Route => ({
    method: 'POST',
    path: `/admin/anchor/${name}`,
    access: 'admin',
    about: {
      ...about,
      isBodyOptional: true,
      answers: { 200: json(STATE) },
      refusals: ['anchor.step-refused'],
    },
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
      about: {
        summary: 'A statement that announces an anchor',
        answers: {
          200: {
            content: { [ANCHOR_MEDIA_TYPE]: anyObject('JWS in general JSON serialisation.') },
          },
        },
        refusals: ['admin.not-found'],
      },
      handle: ({ params: { number = '' } }) => {
        const isNumber = /^[1-9]\d{0,15}$/.test(number)
        const statement = isNumber ? key.ledger.statement(Number(number)) : undefined
        if (statement === undefined) throw unknown(`statement about an anchor ${number}`)
        const headers = { 'content-type': ANCHOR_MEDIA_TYPE, 'cache-control': 'no-cache' }
        return { headers, body: statement }
      },
    },
    {
      method: 'GET',
      path: '/admin/anchor',
      access: 'auditor',
      about: { summary: 'The keys that gateways believe', answers: { 200: json(STATE) } },
      handle: describe,
    },
    step(
      'prepare',
      { summary: 'Make the next key, and announce it', body: parseNothing },
      async ({ body }) => {
        parseNothing(body ?? {})
        await rotation.prepare()
      },
    ),
    step('switch', { summary: 'Have the next key sign', body: parseForce }, (request) =>
      rotation.switch(readForce(request)),
    ),
    step('retire', { summary: 'Take the previous key out', body: parseForce }, (request) =>
      rotation.retire(readForce(request)),
    ),
    step(
      'replace',
      { summary: 'Another key in place of all, at once', body: parseForce },
      (request) => rotation.replace(readForce(request)),
    ),
    {
      method: 'POST',
      path: '/admin/snapshot-number',
      access: 'admin',
      about: {
        summary: 'Have the numbers of snapshots go on above one',
        body: parseFrom,
        answers: { 200: json(object({ snapshotNumber: whole })) },
      },
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
