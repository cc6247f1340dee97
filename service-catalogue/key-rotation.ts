import { ANCHOR_KEYS } from '../protocol/anchor-statement.ts'
import { ExchangeError } from '../protocol/errors.ts'
import type { Anchor } from '../protocol/snapshot.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import type { AnchorFile } from './anchor-file.ts'
import type { Changes } from './changes.ts'
import type { GatewayReports } from './gateway-reports.ts'
import type { RingKey } from './key-ring.ts'
import type { Publisher } from './publisher.ts'
import type { SnapshotKeys } from './snapshot-key.ts'

export interface KeyState {
  /** RFC 7638 thumbprint. */
  readonly kid: string
  /** `current` signs; `next` will; `previous` did and counts still; `retired` counts no longer. */
  readonly state: 'current' | 'next' | 'previous' | 'retired'
  /** First and, of a retired one, last anchor that has it. */
  readonly from: number
  readonly until?: number
}

/** The steps of a rotation (protocol/README.md §7.10). Each is whole after a crash, or can be made once more. */
export interface KeyRotation {
  describe(): { readonly number: number; readonly keys: readonly KeyState[] }
  /** Makes the next key and announces it. */
  prepare(): Promise<void>
  /** Has the next key sign. */
  switch(options: { readonly force: boolean }): Promise<void>
  /** Takes the previous key out. */
  retire(options: { readonly force: boolean }): Promise<void>
  /** Another key in the place of all there are, at once: for one that was stolen. */
  replace(options: { readonly force: boolean }): Promise<void>
}

interface Deps {
  readonly db: Database
  readonly changes: Changes
  readonly publisher: Publisher
  readonly reports: GatewayReports
  readonly key: SnapshotKeys
  readonly anchorFile: () => AnchorFile
}

export function createKeyRotation(deps: Deps): KeyRotation {
  const { key, publisher, changes } = deps
  const { ring, ledger } = key
  const inState = (state: KeyState['state']): string[] =>
    keyStates(key).flatMap((one) => (one.state === state ? one.kid : []))
  const held = (kid: string): RingKey => {
    const found = ring.get(kid)
    if (found !== undefined) return found
    throw refused(`the private key of ${kid} is not in the state folder; restore it from a backup`)
  }
  const announce = async (keys: Anchor['keys'], added: readonly RingKey[]): Promise<number> =>
    (await deps.anchorFile().announce(keys, added)).number
  // One after the other: each begins with the keys that the one before left.
  let queue: Promise<unknown> = Promise.resolve()
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const turn = queue.catch(() => undefined).then(work)
    queue = turn
    return turn
  }
  const jwkOf = ({ publicJwk }: RingKey) => publicJwk as Anchor['keys'][number]
  const note = (action: string, subject: string): void =>
    changes.note({ action, subject }, () => undefined)
  const steps = {
    prepare: async () => {
      const [next] = inState('next')
      if (next !== undefined) throw refused(`there is a next key already: ${next}; switch to it`)
      const { length } = ledger.newest!.keys
      if (length >= ANCHOR_KEYS) {
        throw refused(`the anchor has ${length} keys, and no more fit; retire the previous ones`)
      }
      verifyNotBehind(deps)
      const made = await ring.ensure(key.anchorNumber + 1)
      const number = await announce([...ledger.newest!.keys, jwkOf(made)], [made])
      note('prepare-anchor-key', `key ${made.kid} in anchor ${number}`)
      await publisher.refresh()
    },
    switch: async ({ force }: { readonly force: boolean }) => {
      const [next] = inState('next')
      if (next === undefined) throw refused('there is no next key; prepare one first')
      if (!force) verifyHeard(deps)
      key.use(held(next))
      note('switch-anchor-key', `key ${next}${force ? ', forced' : ''}`)
      await publisher.refresh()
    },
    retire: async ({ force }: { readonly force: boolean }) => {
      const previous = inState('previous')
      if (previous.length === 0) throw refused('no previous key is left to retire; switch first')
      if (!force) verifyHeard(deps)
      verifyNotBehind(deps)
      const rest = ledger.newest!.keys.filter(({ kid }) => !previous.includes(kid!))
      const number = await announce(rest, [])
      note('retire-anchor-key', `key ${previous.join(', ')} out of anchor ${number}`)
      await publisher.refresh()
      for (const kid of previous) ring.remove(kid)
    },
    replace: async ({ force }: { readonly force: boolean }) => {
      // The later one may be the thief's: then nothing is to be waited for.
      if (!force) verifyNotBehind(deps)
      const old = ledger.newest!.keys.map(({ kid }) => kid!)
      const made = await ring.ensure(key.anchorNumber + 1)
      const number = await announce([jwkOf(made)], [made])
      key.use(made)
      note('replace-anchor-keys', `key ${made.kid} in anchor ${number}, ${old.join(', ')} out`)
      await publisher.refresh()
      for (const kid of old) ring.remove(kid)
    },
  }
  return {
    describe: () => ({ number: key.anchorNumber, keys: keyStates(key) }),
    prepare: () => inTurn(steps.prepare),
    switch: (options) => inTurn(() => steps.switch(options)),
    retire: (options) => inTurn(() => steps.retire(options)),
    replace: (options) => inTurn(() => steps.replace(options)),
  }
}

function keyStates({ kid: current, ring, ledger }: SnapshotKeys): KeyState[] {
  const seen = new Map<string, { from: number; until: number }>()
  for (const { number, keys } of ledger.all()) {
    for (const { kid } of keys) {
      seen.set(kid!, { from: seen.get(kid!)?.from ?? number, until: number })
    }
  }
  const newest = ledger.newest?.number
  return [...seen].map(([kid, { from, until }]) => {
    if (until !== newest) return { kid, state: 'retired', from, until }
    if (kid === current) return { kid, state: 'current', from }
    return { kid, state: ring.note?.before.includes(kid) ? 'previous' : 'next', from }
  })
}

/** Gateways that have not said that they have the newest anchor would go on by the old key until they ask. */
function verifyHeard({ db, key, reports }: Deps): void {
  const listed = db.all<{ id: string }>('SELECT id FROM gateway ORDER BY id')
  const missing = listed.flatMap(({ id }) =>
    (reports.of(id)?.anchor ?? 0) < key.anchorNumber ? id : [],
  )
  if (missing.length === 0) return
  const more = missing.length > 3 ? ` and ${missing.length - 3} more` : ''
  throw refused(
    `not yet heard to have anchor ${key.anchorNumber}: ${missing.slice(0, 3).join(', ')}${more}. ` +
      'Those that are off take it when they come back: --force goes on without them',
  )
}

/** Another anchor of a number that was given out would be refused by whoever has the first. */
function verifyNotBehind({ key, reports }: Deps): void {
  const anchor = reports.behind()?.anchor
  if (anchor === undefined) return
  throw refused(
    `a gateway has anchor ${anchor}, this catalogue only ${key.anchorNumber}: ` +
      'restore the folder anchors and the keys of the state folder from the newest backup first',
  )
}

const refused = (detail: string): ExchangeError => new ExchangeError('anchor.step-refused', detail)
