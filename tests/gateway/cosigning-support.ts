import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { commitmentOf, newSalt, recordText, type LogRecord } from '../../exchange-log/record.ts'
import { startIntegrator } from '../../exchange-log/integrator.ts'
import { openSqliteLogStore } from '../../exchange-log/store-sqlite.ts'
import type { ExchangeLogStore } from '../../exchange-log/store.ts'
import { openSqliteTreeStore } from '../../exchange-log/tree-store-sqlite.ts'
import type { TreeStore } from '../../exchange-log/tree-store.ts'
import { startCosigning, type Cosigning } from '../../gateway/transparency/cosigning.ts'
import { createStoreGuard, type StoreGuard } from '../../gateway/transparency/store-guard.ts'
import {
  createWitnessClient,
  type WitnessClient,
} from '../../gateway/transparency/witness-client.ts'
import { NOTE_TYPE, formatVkey } from '../../protocol/signed-note.ts'
import { parsePolicy, type TlogPolicy } from '../../protocol/tlog-policy.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { WitnessKey } from '../../witness/witness.ts'
import { createKey, logger } from '../witness/keys.ts'
import { ORIGIN, temporaryFolder } from '../witness/support.ts'

/** A log as a gateway has it, on disk. */
export interface OwnLog extends AsyncDisposable {
  readonly key: WitnessKey
  readonly records: ExchangeLogStore
  readonly tree: TreeStore
  readonly client: WitnessClient
  readonly guard: StoreGuard
  append(count: number): Promise<void>
  /** Brings the records into the tree. */
  integrate(isHeld?: () => boolean): Promise<void>
  cosign(policy: TlogPolicy, logger?: Logger): Cosigning
}

export async function openOwnLog(
  options: { readonly dir?: string; readonly key?: WitnessKey; readonly treeDir?: string } = {},
): Promise<OwnLog> {
  const { dir = temporaryFolder(), key = createKey(ORIGIN, NOTE_TYPE.ed25519) } = options
  const { treeDir = dir } = options
  await using opening = new AsyncDisposableStack()
  const file = join(dir, 'exchange-log.db')
  const records = opening.use(await openSqliteLogStore(file, { maxBytes: 1e9 }))
  const tree = opening.use(openSqliteTreeStore(join(treeDir, 'log-tree.db')))
  const client = opening.use(
    createWitnessClient(() => ({ authorities: [], isListed: () => false })),
  )
  const clock = (): Date => new Date()
  const guard = createStoreGuard({ records, tree, log: key.verifier, client, clock, logger })
  const open = opening.move()
  return {
    ...{ key, records, tree, client, guard },
    append: async (count) => {
      await Promise.all(Array.from({ length: count }, () => guard.records.append(newRecord())))
    },
    integrate: async (isHeld = () => false) => {
      const growth = { records: guard.records, tree, key, clock, logger, isHeld }
      await using integrator = startIntegrator(growth)
      await integrator.integrateNow()
    },
    cosign: (policy, told = logger) =>
      open.use(
        startCosigning({
          ...{ tree, client, guard, clock, logger: told, policy: () => policy },
          own: createKey('own').verifier,
          ...{ intervalMs: 20, lateMs: 400, backOffMs: 50 },
        }),
      ),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

function newRecord(): Parameters<ExchangeLogStore['append']>[0] {
  const at = new Date()
  const record: LogRecord = {
    ...{ exchangeId: crypto.randomUUID(), side: 'client', kind: 'refusal' },
    ...{ at, recordedAt: at, code: 'access.denied', detail: 'none' },
  }
  const salt = newSalt()
  return { record, salt, commitment: commitmentOf(salt, recordText(record)) }
}

export function policyOf(
  log: WitnessKey,
  threshold: number,
  ...witnesses: { readonly key: WitnessKey; readonly url: string }[]
): TlogPolicy {
  const lines = witnesses.map(
    ({ key, url }, i) => `witness w${i} ${formatVkey(key.verifier)} ${url}`,
  )
  const names = witnesses.map((_, i) => `w${i}`).join(' ')
  return parsePolicy(
    [`log ${formatVkey(log.verifier)}`, ...lines, `group g ${threshold} ${names}`, 'quorum g'].join(
      '\n',
    ),
  )
}

/** A witness that answers anything: its key, and its address. */
export async function startLiar(
  answer: RequestListener,
): Promise<{ readonly key: WitnessKey; readonly url: string } & AsyncDisposable> {
  const server = createServer(answer)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const { port } = server.address() as AddressInfo
  return {
    key: createKey('liar'),
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}

export async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await check())) await new Promise((done) => setTimeout(done, 10))
}
