import type { ErrorCode } from '../protocol/errors.ts'
import type { ApiRequest, Route } from '../runtime/admin-api.ts'
import {
  json,
  listOf,
  NOTHING,
  object,
  putAnswers,
  type BodyParser,
  type Schema,
} from '../runtime/route-description.ts'
import { unknown, type Changes } from './changes.ts'
import { readPart } from './input.ts'

/** What the catalogue keeps by a name of the operator's choice, with how each change is made. */
export interface NamedResource<V extends object> {
  /** `/admin/authorities`; one of them is below it, by its name. */
  readonly path: string
  /** Member of the answer that lists all. */
  readonly plural: string
  /** One of them, in words: in events, and in what is refused. */
  readonly singular: string
  /** Several of them, in words. */
  readonly words: string
  /** What one looks like, what checks the body of one, and what else may be wrong with it. */
  readonly view: Schema
  readonly parse: BodyParser
  readonly refusals?: readonly ErrorCode[]
  readonly list: () => V[]
  readonly find: (name: string) => V | undefined
  /**
   * Judges a body before anything is changed.
   *
   * @returns what stores it, inside of a transaction.
   */
  readonly store: (name: string, body: unknown) => () => void
  /** Inside of a transaction. */
  readonly remove: (name: string) => void
}

/** List, look up, put and remove. */
export function createNamedRoutes<V extends object>(
  resource: NamedResource<V>,
  changes: Changes,
): Route[] {
  const { path, plural, singular, words, list, find, store, remove } = resource
  const { view, parse, refusals = [] } = resource
  const one = `${path}/:name`
  const action = singular.replaceAll(' ', '-')
  const nameOf = ({ params }: ApiRequest): string => readPart(params, 'name')
  const changeOf = (request: ApiRequest) => {
    const name = nameOf(request)
    return { name, subject: `${singular} ${name}`, read: () => find(name) }
  }
  return [
    {
      method: 'GET',
      path,
      access: 'reader',
      about: {
        summary: `All of the ${words}`,
        answers: { 200: json(object({ [plural]: listOf(view) })) },
      },
      handle: () => ({ body: { [plural]: list() } }),
    },
    {
      method: 'GET',
      path: one,
      access: 'reader',
      about: {
        summary: `One of the ${words}`,
        answers: { 200: json(view) },
        refusals: ['admin.not-found'],
      },
      handle: (request) => {
        const { subject, read } = changeOf(request)
        const body = read()
        if (body === undefined) throw unknown(subject)
        return { body }
      },
    },
    {
      method: 'PUT',
      path: one,
      access: 'admin',
      about: {
        summary: `Put one of the ${words}`,
        body: parse,
        answers: putAnswers(view),
        refusals,
      },
      handle: (request) => {
        const { name, ...change } = changeOf(request)
        return changes.put({ ...change, action: `put-${action}`, apply: store(name, request.body) })
      },
    },
    {
      method: 'DELETE',
      path: one,
      access: 'admin',
      about: {
        summary: `Remove one of the ${words}`,
        answers: { 204: NOTHING },
        refusals: ['admin.not-found', 'admin.conflict'],
      },
      handle: (request) => {
        const { name, ...change } = changeOf(request)
        return changes.remove({ ...change, action: `delete-${action}`, apply: () => remove(name) })
      },
    },
  ]
}
