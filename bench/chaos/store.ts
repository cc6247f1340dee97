import { join } from 'node:path'
import { openLogStores, type LogStores } from '../../exchange-log/open-log.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import { openFolderSource } from '../../exchange-log/verify/folder-source.ts'
import { openPostgresSource } from '../../exchange-log/verify/postgres-source.ts'
import type { LogSource } from '../../exchange-log/verify/source.ts'
import { ROLE, startPostgres } from '../../tests/support/postgres.ts'

export const STORES = ['sqlite', 'postgres'] as const
export type StoreKind = (typeof STORES)[number]

/** Where the gateways of a run keep their logs. */
export interface ChaosStore extends AsyncDisposable {
  /** What a gateway's configuration says of its log, beside the defaults. */
  configOf(gateway: string): { readonly postgresUrlFile?: string }
  /** Opens the log of a gateway that has been stopped. @param stateDir of that gateway. */
  open(gateway: string, stateDir: string): Promise<LogStores>
  /** The same as `spean log verify` reads it. */
  source(gateway: string, stateDir: string): Promise<LogSource>
}

const MAX_BYTES = 1_099_511_627_776

/**
 * @param gateways each has a log of its own.
 * @param dir of the run.
 */
export async function openStore(
  kind: StoreKind,
  { gateways, dir }: { readonly gateways: readonly string[]; readonly dir: string },
): Promise<ChaosStore> {
  if (kind === 'sqlite') {
    return {
      configOf: () => ({}),
      open: (_gateway, stateDir) => openLogStores({ stateDir, maxBytes: MAX_BYTES }),
      source: async (_gateway, stateDir) => openFolderSource(stateDir),
      [Symbol.asyncDispose]: async () => undefined,
    }
  }
  await using starting = new AsyncDisposableStack()
  const server = starting.use(await startPostgres())
  const files = new Map<string, string>()
  const urls = new Map<string, string>()
  for (const gateway of gateways) {
    const file = join(dir, `${gateway}-postgres.url`)
    const url = server.url(ROLE, await server.newLog())
    writePrivateFile(file, `${url}\n`)
    files.set(gateway, file)
    urls.set(gateway, url)
  }
  const running = starting.move()
  return {
    configOf: (gateway) => {
      const postgresUrlFile = files.get(gateway)
      return postgresUrlFile === undefined ? {} : { postgresUrlFile }
    },
    open: (gateway, stateDir) =>
      openLogStores({ stateDir, maxBytes: MAX_BYTES, postgresUrlFile: files.get(gateway)! }),
    source: (gateway) => openPostgresSource(urls.get(gateway)!),
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  }
}
