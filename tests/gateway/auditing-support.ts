/** The audit API over a real log: SQLite, the tree, tokens, HTTP; only the federation around it is not there. */
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startIntegrator } from '../../exchange-log/integrator.ts'
import { openLogStores, type LogStores } from '../../exchange-log/open-log.ts'
import type { StoredRecord } from '../../exchange-log/record.ts'
import { openAuditing, type Auditing } from '../../gateway/auditing/open-auditing.ts'
import { createExchangeLog, type LogPrivacy } from '../../gateway/exchange-log/log.ts'
import { generateKey } from '../../pki/keys.ts'
import { NOTE_TYPE, noteVerifier } from '../../protocol/signed-note.ts'
import { GATEWAY_API } from '../../gateway/http/openapi.ts'
import { createApi, type Route } from '../../runtime/admin-api.ts'
import { createDescriptionRoute } from '../../runtime/openapi-description.ts'
import { json } from '../../runtime/route-description.ts'
import { listen } from '../../runtime/lifecycle.ts'
import { send, type Answer } from '../support/http.ts'
import { silent } from './support.ts'

export const ADMIN = 'the-administrators-token'
export const ORIGIN = 'spean/KH/GOV/REG/REG-1/log'

/** Queries have no content: nothing is sealed. */
const privacy: LogPrivacy = {
  sealer: { seal: () => Promise.reject(new TypeError('nothing is to be sealed')) },
  rules: [],
  classificationOf: () => undefined,
}

export interface Reply extends Answer {
  readonly json: Record<string, unknown> & { readonly code?: string }
}
export interface AuditedLog extends AsyncDisposable {
  readonly dir: string
  readonly port: number
  readonly stores: LogStores
  readonly auditing: Auditing
  readonly routes: readonly Route[]
  readonly clock: { at: Date }
  ask(method: string, path: string, options?: Ask): Promise<Reply>
  /** Makes an auditor and returns its token. */
  add(name: string, scope?: readonly string[]): Promise<string>
  /** Resolves when all records are in the tree. */
  integrate(): Promise<void>
  /** The newest `query` records, oldest first, what they say parsed. */
  queries(): Promise<(StoredRecord & { readonly said: Record<string, unknown> })[]>
}
interface Ask {
  readonly token?: string | null
  readonly body?: unknown
}

/** @param change of the stores that the routes read. */
export async function startAuditedLog(
  change: (stores: LogStores) => Partial<LogStores> = () => ({}),
  dir = mkdtempSync(join(tmpdir(), 'auditing-')),
): Promise<AuditedLog> {
  await using scope = new AsyncDisposableStack()
  scope.defer(() => rmSync(dir, { recursive: true, force: true }))
  const clock = { at: new Date('2026-03-01T08:00:00Z') }
  const now = (): Date => clock.at
  const stores = scope.use(await openLogStores({ stateDir: dir, maxBytes: 1e9 }))
  const { records, tree } = { ...stores, ...change(stores) }
  const { privateKey } = await generateKey('Ed25519')
  const key = { privateKey, verifier: noteVerifier(ORIGIN, privateKey, NOTE_TYPE.ed25519) }
  const integrator = scope.use(
    startIntegrator({ records: stores.records, tree, key, clock: now, logger: silent }),
  )
  const log = createExchangeLog(records, { clock: now, logger: silent, privacy })
  const auditing = openAuditing(
    { stateDir: dir },
    { store: records, tree, origin: ORIGIN, log, clock: now, scope },
  )
  const own: Route = {
    method: 'GET',
    path: '/admin/own',
    access: 'admin',
    about: { summary: 'Who asks', answers: { 200: json({ type: 'object' }) } },
    handle: ({ principal }) => ({ body: { principal } }),
  }
  const described = [own, ...auditing.routes]
  const routes = [...described, createDescriptionRoute(GATEWAY_API, described)]
  const api = createApi({
    ...{ routes, token: ADMIN, principalOf: auditing.auditorOf },
    ...{ origin: 'client-gateway', logger: silent },
  })
  const { port } = scope.use(await listen(createServer(api), 0))
  const ask: AuditedLog['ask'] = async (method, path, { token = ADMIN, body } = {}) => {
    const answer = await send({
      ...{ port, method, path },
      rawHeaders: [
        ...(token === null ? [] : ['authorization', `Bearer ${token}`]),
        ...(body === undefined ? [] : ['content-type', 'application/json']),
      ],
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const isJson = /json/.test(String(answer.headers['content-type'])) && answer.body.length > 0
    const parsed = isJson && !/ndjson/.test(String(answer.headers['content-type']))
    return {
      ...answer,
      json: parsed ? (JSON.parse(answer.body.toString()) as Reply['json']) : {},
    }
  }
  const open = scope.move()
  return {
    ...{ dir, port, stores, auditing, routes, clock, ask },
    add: async (name, within) => {
      const body = { name, ...(within ? { scope: within } : { all: true }) }
      return String((await ask('POST', '/admin/auditors', { body })).json.token)
    },
    integrate: () => integrator.integrateNow(),
    queries: async () => {
      const { last } = await stores.records.extent()
      return (await stores.records.after(Math.max(0, last - 1000), 1000))
        .filter(({ kind }) => kind === 'query')
        .map((r) => ({ ...r, said: JSON.parse(r.detail ?? '') as Record<string, unknown> }))
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}
