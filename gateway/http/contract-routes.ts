import { ExchangeError } from '../../protocol/errors.ts'
import { readClientId, readServiceId } from '../../protocol/identifiers.ts'
import type { ApiReply, ApiRequest, Route } from '../../runtime/admin-api.ts'
import type { Clock } from '../../runtime/clock.ts'
import type { CatalogueView } from '../catalogue-view.ts'
import type { Agreements, ContractChanges, ContractTerms } from '../contracts/agreements.ts'
import { stateOf, viewOf } from '../contracts/state.ts'
import type { ContractStore, HeldContract } from '../contracts/store.ts'

export interface ContractRoutesDeps {
  readonly store: Pick<ContractStore, 'all' | 'named' | 'answerTo' | 'document'>
  readonly agreements: Agreements
  readonly feed: { readonly fault: string | undefined }
  /** The newest snapshot. */
  readonly snapshot: () => CatalogueView | undefined
  readonly clock: Clock
}

type Body = Readonly<Record<string, unknown>>
const CHANGEABLE = [
  ...(['endpoints', 'purposes', 'validFrom', 'validUntil', 'quota'] as const),
  ...(['maxBodyBytes', 'otherFields', 'user', 'case'] as const),
]
const DEFAULTS = { purposes: [], otherFields: 'strip' }

/** Contracts as a member's administrator handles them (protocol/README.md §13). */
export function createContractRoutes(deps: ContractRoutesDeps): Route[] {
  const { store, agreements, feed, clock } = deps
  const view = (held: HeldContract): object => viewOf(store, held, clock())
  /** One after the other: all that are held would be too many objects at once. */
  const listed = (query: URLSearchParams): object[] => {
    const views: object[] = []
    for (const held of store.all()) {
      if (isWanted(store, held, query, clock())) views.push(view(held))
    }
    return views
  }
  const made = (held: HeldContract): ApiReply => ({ status: 201, body: view(held) })
  const act = (
    verb: string,
    run: (held: HeldContract, body: Body) => Promise<HeldContract>,
  ): Route => ({
    method: 'POST',
    path: `/admin/contracts/:name/${verb}`,
    access: 'admin',
    handle: async ({ params, body }) =>
      made(await run(theOne(store, params.name ?? ''), readBody(body))),
  })
  return [
    {
      method: 'GET',
      path: '/admin/contracts',
      access: 'admin',
      handle: ({ query }) => ({
        body: {
          contracts: listed(query),
          ...(feed.fault === undefined ? {} : { fault: feed.fault }),
        },
      }),
    },
    {
      method: 'POST',
      path: '/admin/contracts',
      access: 'admin',
      handle: async (request) => made(await agreements.request(readTerms(deps, request))),
    },
    {
      method: 'GET',
      path: '/admin/contracts/:name',
      access: 'admin',
      handle: ({ params }) => {
        const held = theOne(store, params.name ?? '')
        return { body: { ...view(held), signatures: store.document(held.digest)?.signatures } }
      },
    },
    act('approve', (held, body) => {
      only(body, [])
      return agreements.approve(held)
    }),
    act('narrow', (held, body) => {
      only(body, [...CHANGEABLE, 'reason'])
      const { reason, ...changes } = body
      return agreements.narrow(held, sorted(changes) as ContractChanges, readReason(reason))
    }),
    act('refuse', (held, body) => agreements.refuse(held, onlyReason(body))),
    act('revoke', (held, body) => agreements.revoke(held, onlyReason(body))),
    act('renew', (held, body) => {
      only(body, ['validFrom', 'validUntil', 'reason'])
      const { validFrom = secondsOf(clock()), validUntil, reason } = body
      const time = { validFrom, validUntil } as Pick<ContractTerms, 'validFrom' | 'validUntil'>
      return agreements.renew(held, time, readReason(reason))
    }),
  ]
}

/** What is missing or of another form, the reader of contracts refuses by name. */
function readTerms({ snapshot, clock }: ContractRoutesDeps, { body }: ApiRequest): ContractTerms {
  const given = readBody(body)
  only(given, ['client', 'service', 'reason', ...CHANGEABLE])
  const newest = snapshot()
  const { client, service } = given
  if (newest && typeof service === 'string') {
    const known = inField('service', () => newest.service(readServiceId(service)))
    if (known === undefined) throw invalid('service', `${service} is not in the catalogue`)
  }
  if (newest && typeof client === 'string' && !client.startsWith('group:')) {
    const isKnown = inField('client', () => newest.isRegistered(readClientId(client)))
    if (!isKnown) throw invalid('client', `${client} is not in the catalogue`)
  }
  const terms = sorted({ ...DEFAULTS, validFrom: secondsOf(clock()), ...given })
  return terms as unknown as ContractTerms
}

function sorted(terms: Body): Body {
  const { purposes } = terms
  if (!Array.isArray(purposes)) return terms
  return { ...terms, purposes: [...new Set(purposes as string[])].toSorted() }
}

function theOne(store: ContractRoutesDeps['store'], name: string): HeldContract {
  const [held, ...others] = store.named(name)
  if (held === undefined) {
    throw new ExchangeError('admin.not-found', `there is no contract ${name} at this gateway`)
  }
  if (others.length === 0) return held
  const digests = [held, ...others].map(({ digest }) => digest).join(', ')
  throw new ExchangeError('admin.conflict', `${name} is several contracts: name one of ${digests}`)
}

function isWanted(
  store: ContractRoutesDeps['store'],
  held: HeldContract,
  query: URLSearchParams,
  at: Date,
): boolean {
  const { client, service } = held.content
  const wanted = { client, service, state: stateOf(store, held, at) }
  return Object.entries(wanted).every(([name, value]) => {
    const asked = query.get(name)
    return asked === null || asked === value
  })
}

function readBody(body: unknown): Body {
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Body
  throw invalid('', 'must be an object')
}

function only(body: Body, names: readonly string[]): void {
  const other = Object.keys(body).find((name) => !names.includes(name))
  if (other !== undefined) throw invalid(other, 'is not one of what can be said here')
}

function onlyReason(body: Body): string {
  only(body, ['reason'])
  return readReason(body.reason)
}

function readReason(reason: unknown): string {
  if (typeof reason === 'string' && reason.trim() !== '') return reason
  throw invalid('reason', 'say why: the other member reads it')
}

function inField<T>(field: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof ExchangeError)) throw cause
    throw invalid(field, cause.message)
  }
}

const secondsOf = (at: Date): string => at.toISOString().replace(/\.\d+Z$/, 'Z')

const invalid = (field: string, detail: string): ExchangeError =>
  new ExchangeError('admin.invalid', `/${field}: ${detail}`)
