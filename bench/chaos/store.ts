import { openLogStores, type LogStores } from '../../exchange-log/open-log.ts'

export const STORES = ['sqlite'] as const
export type StoreKind = (typeof STORES)[number]

/** Where the gateways of a run keep their logs. */
export interface ChaosStore extends AsyncDisposable {
  /** What a gateway's configuration says of its log, beside the defaults. */
  configOf(gateway: string): { readonly postgresUrlFile?: string }
  /** Opens the log of a gateway that has been stopped. @param stateDir of that gateway. */
  open(gateway: string, stateDir: string): Promise<LogStores>
}

const MAX_BYTES = 1_099_511_627_776

/** @param _dir of the run. */
export async function openStore(_kind: StoreKind, _dir: string): Promise<ChaosStore> {
  return {
    configOf: () => ({}),
    open: (_gateway, stateDir) => openLogStores({ stateDir, maxBytes: MAX_BYTES }),
    [Symbol.asyncDispose]: async () => undefined,
  }
}
