import type { Clock } from '../runtime/clock.ts'
import type { Witness } from '../witness/witness.ts'
import type { Changes } from './changes.ts'
import type { CatalogueConfig } from './config.ts'
import type { GatewayReports } from './gateway-reports.ts'
import type { KeyRotation } from './key-rotation.ts'
import type { SnapshotKeys } from './snapshot-key.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import type { Publisher } from './publisher.ts'

/** What the routes work on. */
export interface CatalogueContext {
  readonly instance: string
  readonly memberClasses: readonly string[]
  readonly registration: CatalogueConfig['registration']
  readonly db: Database
  readonly clock: Clock
  readonly changes: Changes
  readonly publisher: Publisher
  /** How long before it takes effect consumers hear of a breaking change. */
  readonly changeNoticeMs: number
  /** Where the catalogue is reached. */
  readonly publicUrl: () => string
  /** What signs snapshots and what is sent to webhooks. */
  readonly key: Pick<SnapshotKeys, 'publicJwks' | 'anchorNumber' | 'ledger'>
  readonly rotation: KeyRotation
  /** Whether an anchor can hold the roots of all authorities. @throws ExchangeError `admin.conflict` */
  readonly verifyRoots: () => void
  /** How far gateways said that they are. */
  readonly reports: GatewayReports
  /** The catalogue as a witness. */
  readonly witness: Pick<Witness, 'describe'>
}
