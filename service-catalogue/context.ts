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
  /** The catalogue as a witness. */
  readonly witness: Pick<Witness, 'describe'>
}
