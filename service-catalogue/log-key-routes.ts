import type { JSONSchemaType } from 'ajv'
import { isLogOf, witnessName } from '../protocol/checkpoint.ts'
import { readGatewayId } from '../protocol/identifiers.ts'
import { NOTE_TYPE, NoteError, parseVkey, type NoteVerifier } from '../protocol/signed-note.ts'
import { bodyParser, type ApiRequest, type Route } from '../runtime/admin-api.ts'
import {
  json,
  listOf,
  named,
  NOTHING,
  object,
  oneOf,
  putAnswers,
  text,
} from '../runtime/route-description.ts'
import type { CatalogueContext } from './context.ts'
import { existingGateway } from './gateways.ts'
import { invalid, readPathId } from './input.ts'
import { putGatewayWitness, putLogKey, removeLogKey } from './log-keys.ts'
import { listLogKeys, listWitnesses, verifyLogPolicy } from './log-policy.ts'

interface Body {
  readonly vkey: string
  readonly url?: string
}

const LOG_KEY = named(
  'LogKey',
  object(
    { gateway: text, origin: { ...text, description: 'Name of the log.' }, vkey: text },
    { url: text },
  ),
)
export const WITNESS = named(
  'Witness',
  object(
    { name: text, vkey: text, url: text, of: oneOf('gateway', 'catalogue', 'other') },
    { gateway: text },
  ),
)

const GATEWAY = '/admin/gateways/:class/:member/:gateway'

export const vkeySchema = { type: 'string', minLength: 1, maxLength: 1000 } as const
export const urlSchema = { type: 'string', minLength: 1, maxLength: 300 } as const

const parseBody = bodyParser<Body>({
  type: 'object',
  additionalProperties: false,
  required: ['vkey'],
  properties: { vkey: vkeySchema, url: urlSchema },
} as unknown as JSONSchemaType<Body>)

/** Keys of gateways that the operator puts by hand: where a gateway does not register them itself, or may not. */
export function createLogKeyRoutes({ db, instance, changes }: CatalogueContext): Route[] {
  const idOf = ({ params }: ApiRequest): string =>
    readPathId(instance, params, ['class', 'member', 'gateway'])
  const witnessOf = (id: string) => listWitnesses(db).find(({ gateway }) => gateway === id)
  return [
    {
      method: 'GET',
      path: '/admin/log-keys',
      access: 'reader',
      about: {
        summary: 'Keys of the logs of all gateways',
        answers: { 200: json(object({ logKeys: listOf(LOG_KEY) })) },
      },
      handle: () => ({ body: { logKeys: listLogKeys(db) } }),
    },
    {
      method: 'PUT',
      path: `${GATEWAY}/log-keys`,
      access: 'admin',
      about: {
        summary: 'Put a key of a log of a gateway',
        body: parseBody,
        answers: putAnswers(LOG_KEY),
        refusals: ['admin.not-found', 'admin.conflict'],
      },
      handle: (request) => {
        const id = idOf(request)
        const { vkey, url } = parseBody(request.body)
        const { name } = readVkey(vkey, NOTE_TYPE.ed25519)
        if (!isLogOf(readGatewayId(id), name)) {
          throw invalid('vkey', `${name} is no log of gateway ${id}`)
        }
        const address = url === undefined ? {} : { url: readHttps(url) }
        return changes.put({
          action: 'put-log-key',
          subject: `key ${vkey} of log ${name}`,
          read: () => listLogKeys(db).find((key) => key.vkey === vkey),
          apply: () => {
            existingGateway(db, id)
            putLogKey(db, { gateway: id, vkey, ...address })
          },
        })
      },
    },
    {
      method: 'DELETE',
      path: `${GATEWAY}/log-keys/:vkey`,
      access: 'admin',
      about: {
        summary: 'Remove a key of a log of a gateway',
        answers: { 204: NOTHING },
        refusals: ['admin.not-found', 'admin.conflict'],
      },
      handle: (request) => {
        const id = idOf(request)
        const { vkey = '' } = request.params
        return changes.remove({
          action: 'delete-log-key',
          subject: `key ${vkey} of a log of gateway ${id}`,
          read: () => listLogKeys(db).find((key) => key.gateway === id && key.vkey === vkey),
          apply: () => removeLogKey(db, { gateway: id, vkey }),
        })
      },
    },
    {
      method: 'PUT',
      path: `${GATEWAY}/witness`,
      access: 'admin',
      about: {
        summary: 'Put the witness of a gateway',
        body: parseBody,
        answers: putAnswers(WITNESS),
        refusals: ['admin.not-found', 'admin.conflict'],
      },
      handle: (request) => {
        const id = idOf(request)
        const { vkey, url } = parseBody(request.body)
        const { name } = readVkey(vkey, NOTE_TYPE.cosignature)
        if (url === undefined) throw invalid('url', 'is missing: where logs ask for cosignatures')
        if (name !== witnessName(readGatewayId(id))) {
          throw invalid('vkey', `${name} is not the witness of gateway ${id}`)
        }
        const address = readHttps(url)
        return changes.put({
          action: 'put-witness',
          subject: `witness ${name}`,
          read: () => witnessOf(id),
          apply: () => {
            existingGateway(db, id)
            putGatewayWitness(db, { gateway: id, vkey, url: address })
          },
        })
      },
    },
    {
      method: 'DELETE',
      path: `${GATEWAY}/witness`,
      access: 'admin',
      about: {
        summary: 'Remove the witness of a gateway',
        answers: { 204: NOTHING },
        refusals: ['admin.not-found', 'admin.conflict'],
      },
      handle: (request) => {
        const id = idOf(request)
        return changes.remove({
          action: 'delete-witness',
          subject: `witness of gateway ${id}`,
          read: () => witnessOf(id),
          apply: () => {
            db.run('DELETE FROM witness WHERE gateway = ?', id)
            verifyLogPolicy(db)
          },
        })
      },
    },
  ]
}

/** @throws ExchangeError `admin.invalid` for what is no verifier key of that type. */
export function readVkey(vkey: string, type: NoteVerifier['type']): NoteVerifier {
  try {
    const verifier = parseVkey(vkey)
    if (verifier.type === type) return verifier
    const wanted = type === NOTE_TYPE.ed25519 ? '01, of a log' : '04, of a witness'
    throw invalid('vkey', `its type is not ${wanted}`)
  } catch (error) {
    if (error instanceof NoteError) throw invalid('vkey', error.message, error)
    throw error
  }
}

/** @throws ExchangeError `admin.invalid` */
export function readHttps(text: string): string {
  const url = URL.parse(text)
  if (url?.protocol === 'https:' && /^https:\/\/[^\s?#@]+$/.test(text))
    return text.replace(/\/$/, '')
  throw invalid('url', 'write https://HOST:PORT/PATH, without user, query and fragment')
}
