import type { ApiClient } from '../../runtime/api-client.ts'
import type { Fields, Section } from './section.ts'
import type { WantedSection } from './wanted.ts'

/** Who calls, by the catalogue's `whoami`. */
export interface Caller {
  readonly role: string
  readonly scope?: readonly string[]
}
/** A program whose state is compared and changed. */
export interface Target {
  /** `catalogue`, or `gateway NAME`. */
  readonly label: string
  readonly isCatalogue: boolean
  /** Positions of the changes that we made in it; of a catalogue. */
  readonly ours?: ReadonlySet<number>
  readonly api: ApiClient
  readonly caller: Caller
  readonly sections: readonly WantedSection[]
}

export interface Step {
  readonly target: Target
  readonly section: Section
  readonly verb: 'create' | 'change' | 'delete'
  readonly key: string
  readonly before: Fields | undefined
  readonly after: Fields
  readonly wanted: Fields
  readonly changed: readonly string[]
  /** What the catalogue says of it beforehand. */
  readonly notes: readonly string[]
  /** The request of the same content that waits already. */
  readonly waitingFor?: string
}
