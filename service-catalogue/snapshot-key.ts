import { join } from 'node:path'
import type { JWK } from 'jose'
import { numberOf, type NumberedAnchor } from '../protocol/anchor-statement.ts'
import { SNAPSHOT_TYPE } from '../protocol/snapshot.ts'
import { ConfigError } from '../runtime/config.ts'
import { writeFileAtomically } from '../runtime/private-file.ts'
import { openAnchorLedger, type AnchorLedger } from './anchor-ledger.ts'
import { openKeyRing, type KeyRing, type RingKey } from './key-ring.ts'
import { signCompact } from './compact-jws.ts'

/** The key that signs now; its members change with a rotation. */
export interface SnapshotKey {
  /** RFC 7638 thumbprint of the public key. */
  readonly kid: string
  readonly publicJwk: JWK
  /** Of the newest anchor, all that may sign; the one that does first. */
  readonly publicJwks: readonly JWK[]
  /** 1 before there is one. */
  readonly anchorNumber: number
  /** @returns compact JWS, ES256; `typ` tells what it is, `spean-snapshot` when left out. */
  sign(payload: string, typ?: string): Promise<string>
}

/** What a rotation works on. */
export interface SnapshotKeys extends SnapshotKey {
  readonly ring: KeyRing
  readonly ledger: AnchorLedger
  readonly signer: RingKey
  /** Has another key of the newest anchor sign from now on. */
  use(next: RingKey): void
  /** Writes the public halves to `snapshot-key.jwks.json`, as webhooks and people read them. */
  writePublic(): void
}

/**
 * The key in `stateDir/snapshot.key`, which is made at the first start, or the one that a rotation put in its place.
 *
 * @param hasSnapshots whether some were published already.
 * @throws ConfigError when a key is not P-256, or is gone though snapshots were published: no
 * gateway would believe another one.
 */
export async function openSnapshotKey(
  stateDir: string,
  hasSnapshots: boolean,
): Promise<SnapshotKeys> {
  const ledger = await openAnchorLedger(stateDir)
  const ring = await openKeyRing(stateDir)
  const openFirst = async (): Promise<RingKey> => {
    if (hasSnapshots && ring.first === undefined) {
      throw new ConfigError(
        `${join(stateDir, 'snapshot.key')}: the key that signs is missing, and gateways believe no other; ` +
          'restore it from a backup. Where it is lost, docs/anchor.md says how to begin with another',
      )
    }
    const first = await ring.ensureFirst()
    if (ledger.newest !== undefined) beginAgain(ledger, first)
    return first
  }
  let signer = findSigner(ring, ledger, ledger.newest) ?? (await openFirst())
  // Left there by a crash between an anchor without them and their removal.
  const old = ledger.all().flatMap(({ keys }) => keys.map(({ kid }) => kid!))
  const counting = new Set(ledger.newest?.keys.map(({ kid }) => kid))
  for (const kid of old) if (!counting.has(kid)) ring.remove(kid)
  const publicJwks = (): JWK[] => {
    const others = ledger.newest?.keys.filter(({ kid }) => kid !== signer.kid) ?? []
    return [signer.publicJwk, ...others]
  }
  const writePublic = (): void => {
    const jwks = JSON.stringify({ keys: publicJwks() }, undefined, 2)
    writeFileAtomically(join(stateDir, 'snapshot-key.jwks.json'), `${jwks}\n`)
  }
  if (ledger.newest !== undefined && ring.note?.kid !== signer.kid) noteSigner(ring, signer.kid)
  writePublic()
  return {
    get kid() {
      return signer.kid
    },
    get publicJwk() {
      return signer.publicJwk
    },
    get publicJwks() {
      return publicJwks()
    },
    get anchorNumber() {
      return numberOf(ledger.newest ?? {})
    },
    sign: async (payload, typ = SNAPSHOT_TYPE) => {
      const { kid, privateKey } = signer
      const number = numberOf(ledger.newest ?? {})
      const hint = typ === SNAPSHOT_TYPE && number > 1 ? { anchor: number } : {}
      return signCompact({ alg: 'ES256', kid, typ, ...hint }, payload, privateKey)
    },
    ring,
    ledger,
    get signer() {
      return signer
    },
    use: (next) => {
      noteSigner(ring, next.kid)
      signer = next
      writePublic()
    },
    writePublic,
  }
}

/** The one that was noted; where a crash came between an anchor and its note, the newest that the anchor has. */
function findSigner(
  ring: KeyRing,
  ledger: AnchorLedger,
  newest: NumberedAnchor | undefined,
): RingKey | undefined {
  if (newest === undefined) return undefined
  const held = newest.keys.flatMap(({ kid }) => ring.get(kid ?? '') ?? [])
  const found = held.find(({ kid }) => kid === ring.note?.kid) ?? held.at(-1)
  if (found !== undefined || ring.first === undefined) return found
  const { first } = ring
  const isOld = ledger.all().some(({ keys }) => keys.some(({ kid }) => kid === first.kid))
  if (!isOld) return undefined
  throw new ConfigError(
    `${first.file}: was taken out by anchor ${newest.number}, and the key that signs is missing; restore that one from a backup`,
  )
}

/** An operator has put another key in place: people carry the anchor once more, with a higher number. */
function beginAgain(ledger: AnchorLedger, { publicJwk }: RingKey): void {
  const { issuedAt: _issuedAt, ...last } = ledger.newest!
  ledger.begin({ ...last, number: last.number + 1, keys: [publicJwk as NumberedAnchor['keys'][0]] })
}

function noteSigner(ring: KeyRing, kid: string): void {
  const { note } = ring
  const before = note === undefined || note.kid === kid ? [] : [note.kid, ...note.before]
  ring.writeNote({ kid, before: before.slice(0, 64) })
}
