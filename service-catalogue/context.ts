import type { JWK } from 'jose'
import type { Clock } from '../runtime/clock.ts'
import type { Witness } from '../witness/witness.ts'
import type { Changes } from './changes.ts'
import type { CatalogueConfig } from './config.ts'
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
  /** Of the key that signs snapshots and what is sent to webhooks. */
  readonly publicKey: JWK
  /** The catalogue as a witness. */
  readonly witness: Pick<Witness, 'describe'>
}
