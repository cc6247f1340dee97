import type { JSONSchemaType } from 'ajv'
import { NOTE_TYPE } from '../protocol/signed-note.ts'
import { bodyParser, type Route } from '../runtime/admin-api.ts'
import { json, named, object, putAnswers, text } from '../runtime/route-description.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import type { CatalogueContext } from './context.ts'
import { invalid } from './input.ts'
import { readHttps, readVkey, urlSchema, vkeySchema, WITNESS } from './log-key-routes.ts'
import {
  composeLogPolicy,
  listWitnesses,
  readQuorum,
  storeQuorum,
  verifyLogPolicy,
  type WitnessQuorum,
  type WitnessView,
} from './log-policy.ts'
import { createNamedRoutes } from './named-routes.ts'

interface Body {
  readonly vkey: string
  readonly url: string
}

const parseWitness = bodyParser<Body>({
  type: 'object',
  additionalProperties: false,
  required: ['vkey', 'url'],
  properties: { vkey: vkeySchema, url: urlSchema },
})

const MOST_WITNESSES = 1000
const name = { type: 'string', pattern: '^[^\\s]{1,600}$' } as const
const parseQuorum = bodyParser<WitnessQuorum>({
  type: 'object',
  oneOf: [
    {
      additionalProperties: false,
      required: ['quorum'],
      properties: { quorum: { type: 'string', const: 'none' } },
    },
    {
      additionalProperties: false,
      required: ['threshold'],
      properties: {
        threshold: { type: 'integer', minimum: 1, maximum: MOST_WITNESSES },
        witnesses: { type: 'array', minItems: 1, maxItems: MOST_WITNESSES, items: name },
      },
    },
    {
      additionalProperties: false,
      required: ['text'],
      properties: { text: { type: 'string', minLength: 1, maxLength: 100_000 } },
    },
  ],
} as unknown as JSONSchemaType<WitnessQuorum>)

const POLICY = named(
  'WitnessPolicy',
  object(
    { setting: parseQuorum.schema },
    { logPolicy: { ...text, description: 'As snapshots have it (protocol/README.md §12.4).' } },
  ),
)

/** Who cosigns, and how many of them a checkpoint needs (protocol/README.md §12.4). */
export function createWitnessListRoutes({ db, changes }: CatalogueContext): Route[] {
  const find = (wanted: string): WitnessView | undefined =>
    listWitnesses(db).find((witness) => witness.name === wanted)
  return [
    ...createNamedRoutes(
      {
        path: '/admin/witnesses',
        plural: 'witnesses',
        singular: 'witness',
        words: 'witnesses',
        view: WITNESS,
        parse: parseWitness,
        refusals: ['admin.conflict'],
        list: () => listWitnesses(db),
        find,
        store: (wanted, body) => {
          const { vkey, url } = parseWitness(body)
          readVkey(vkey, NOTE_TYPE.cosignature)
          if (/\s/.test(wanted)) throw invalid('name', 'is one word in the policy')
          const address = readHttps(url)
          return () => {
            refuseOwned(find(wanted))
            db.run(
              `INSERT INTO witness (name, vkey, url) VALUES (?, ?, ?)
               ON CONFLICT (name) DO UPDATE SET vkey = excluded.vkey, url = excluded.url`,
              ...[wanted, vkey, address],
            )
            verifyLogPolicy(db)
          }
        },
        remove: (wanted) => {
          refuseOwned(find(wanted))
          db.run('DELETE FROM witness WHERE name = ?', wanted)
          verifyLogPolicy(db)
        },
      },
      changes,
    ),
    {
      method: 'GET',
      path: '/admin/witness-policy',
      access: 'reader',
      about: { summary: 'How many witnesses a checkpoint needs', answers: { 200: json(POLICY) } },
      handle: () => ({ body: viewOf(db) }),
    },
    {
      method: 'PUT',
      path: '/admin/witness-policy',
      access: 'admin',
      about: {
        summary: 'Say how many witnesses a checkpoint needs',
        body: parseQuorum,
        answers: putAnswers(POLICY),
        refusals: ['admin.conflict'],
      },
      handle: ({ body }) => {
        const quorum = parseQuorum(body)
        if ('text' in quorum) refuseOtherLines(quorum.text)
        return changes.put({
          action: 'put-witness-policy',
          subject: 'policy of witnesses',
          read: () => viewOf(db),
          apply: () => {
            storeQuorum(db, quorum)
            verifyLogPolicy(db)
          },
        })
      },
    },
  ]
}

const viewOf = (db: Database): object => ({
  setting: readQuorum(db),
  logPolicy: composeLogPolicy(db),
})

function refuseOwned(witness: WitnessView | undefined): void {
  if (witness === undefined || witness.of === 'other') return
  throw invalid('name', `it is the witness of ${witness.gateway ?? 'this catalogue'}`)
}

/** Logs and witnesses stand in lists of their own. */
function refuseOtherLines(text: string): void {
  for (const line of text.split('\n')) {
    const [word = '#'] = line.trim().split(/[ \t]+/)
    if (word === '' || word.startsWith('#') || word === 'group' || word === 'quorum') continue
    throw invalid('text', `write lines group and quorum only; "${word}" is another`)
  }
}
