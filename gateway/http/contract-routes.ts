import { ExchangeError } from '../../protocol/errors.ts'
import { readClientId, readServiceId } from '../../protocol/identifiers.ts'
import type { ApiReply, ApiRequest, Route } from '../../runtime/admin-api.ts'
import {
  anyObject,
  flag,
  json,
  listOf,
  named,
  object,
  oneOf,
  text,
  time,
  whole,
  type RouteDescription,
} from '../../runtime/route-description.ts'
import type { Clock } from '../../runtime/clock.ts'
import {
  parseChanges,
  parseNothing,
  parseReason,
  parseRenewal,
  parseTerms,
  type ContractBody,
} from './contract-bodies.ts'
import type { CatalogueView } from '../catalogue-view.ts'
import type { Agreements, ContractChanges, ContractTerms } from '../contracts/agreements.ts'
import { CONTRACT_STATES, stateOf, viewOf } from '../contracts/state.ts'
import type { ContractStore, HeldContract } from '../contracts/store.ts'

export interface ContractRoutesDeps {
  readonly store: Pick<ContractStore, 'all' | 'named' | 'answerTo' | 'document'>
  readonly agreements: Agreements
  readonly feed: { readonly fault: string | undefined }
  /** The newest snapshot. */
  readonly snapshot: () => CatalogueView | undefined
  readonly clock: Clock
}

const DEFAULTS = { purposes: [], otherFields: 'strip' }

const CONTRACT_REFUSALS = [
  ...(['admin.not-found', 'admin.conflict', 'contract.conflict'] as const),
  ...(['gateway.certificate-inactive', 'gateway.certificate-unsuitable'] as const),
]
const TERMS = {
  id: text,
  state: oneOf(...CONTRACT_STATES),
  digest: text,
  client: text,
  service: text,
  endpoints: listOf(object({ method: text, path: text }, { fields: listOf(text) })),
  purposes: listOf(text),
  validFrom: time,
  validUntil: time,
  otherFields: oneOf('refuse', 'strip'),
  reason: text,
  signedBy: listOf(object({ member: text, signedAt: time })),
  handedIn: { ...flag, description: 'Whether the catalogue has it.' },
}
const MORE = {
  quota: object({}, { perSecond: whole, perDay: whole }),
  maxBodyBytes: whole,
  user: oneOf('named', 'token'),
  case: flag,
  follows: text,
  answeredBy: text,
  statement: object({ kind: oneOf('refusal', 'revocation'), reason: text, by: text, at: time }),
  fault: text,
}
const CONTRACT = named('Contract', object(TERMS, MORE))
const SIGNED_CONTRACT = named(
  'SignedContract',
  object(TERMS, {
    ...MORE,
    signatures: listOf(anyObject('Of the JWS (protocol/README.md §13.2).')),
  }),
)

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
    told: Pick<RouteDescription, 'summary' | 'body'>,
    run: (held: HeldContract, body: unknown) => Promise<HeldContract>,
  ): Route => ({
    method: 'POST',
    path: `/admin/contracts/:name/${verb}`,
    access: 'admin',
    about: { ...told, answers: { 201: json(CONTRACT) }, refusals: CONTRACT_REFUSALS },
    handle: async ({ params, body }) => made(await run(theOne(store, params.name ?? ''), body)),
  })
  return [
    {
      method: 'GET',
      path: '/admin/contracts',
      access: 'admin',
      about: {
        summary: 'Contracts, offers and requests',
        query: { client: { schema: text }, service: { schema: text }, state: { schema: text } },
        answers: { 200: json(object({ contracts: listOf(CONTRACT) }, { fault: text })) },
      },
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
      about: {
        summary: 'Ask for a contract, or offer one',
        details: 'A request when the client is of a member of this gateway, else an offer.',
        body: parseTerms,
        answers: { 201: json(CONTRACT) },
        refusals: CONTRACT_REFUSALS,
      },
      handle: async (request) => made(await agreements.request(readTerms(deps, request))),
    },
    {
      method: 'GET',
      path: '/admin/contracts/:name',
      access: 'admin',
      about: {
        summary: 'A contract, with its signatures',
        details: 'By its id or its digest.',
        answers: { 200: json(SIGNED_CONTRACT) },
        refusals: ['admin.not-found', 'admin.conflict'],
      },
      handle: ({ params }) => {
        const held = theOne(store, params.name ?? '')
        return { body: { ...view(held), signatures: store.document(held.digest)?.signatures } }
      },
    },
    act('approve', { summary: 'Sign a contract', body: parseNothing }, (held, body) => {
      parseNothing(body)
      return agreements.approve(held)
    }),
    act('narrow', { summary: 'Offer less than was asked', body: parseChanges }, (held, body) => {
      const { reason, ...changes } = parseChanges(body)
      return agreements.narrow(held, sorted(changes) as ContractChanges, String(reason))
    }),
    act('refuse', { summary: 'Refuse a request', body: parseReason }, (held, body) =>
      agreements.refuse(held, reasonIn(body)),
    ),
    act('revoke', { summary: 'End a contract', body: parseReason }, (held, body) =>
      agreements.revoke(held, reasonIn(body)),
    ),
    act(
      'renew',
      { summary: 'Ask for the same for another time', body: parseRenewal },
      (held, body) => {
        const { validFrom = secondsOf(clock()), validUntil, reason } = parseRenewal(body)
        const period = { validFrom, validUntil } as Pick<ContractTerms, 'validFrom' | 'validUntil'>
        return agreements.renew(held, period, String(reason))
      },
    ),
  ]
}

/** What is missing or of another form, the reader of contracts refuses by name. */
function readTerms({ snapshot, clock }: ContractRoutesDeps, { body }: ApiRequest): ContractTerms {
  const given = parseTerms(body)
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

function sorted(terms: ContractBody): ContractBody {
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

const reasonIn = (body: unknown): string => String(parseReason(body).reason)

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
