import { generateKeyPairSync, hash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LogKey } from '../../exchange-log/integrator.ts'
import { commitmentOf, newSalt, recordText, type LogRecord } from '../../exchange-log/record.ts'
import type { SealedRecord } from '../../exchange-log/store.ts'
import type { GrowthDeps } from '../../exchange-log/tree-growth.ts'
import type { StoredCheckpoint, TreeStore } from '../../exchange-log/tree-store.ts'
import { parseCheckpoint } from '../../protocol/checkpoint.ts'
import { leafHash } from '../../protocol/merkle-tree.ts'
import { NOTE_TYPE, noteVerifier, verifyNote } from '../../protocol/signed-note.ts'
import { naiveRoot } from '../protocol/naive-tree.ts'

export const ORIGIN = 'spean/KH/GOV/A/A-1/log'

export function newLogKey(): LogKey {
  const { privateKey } = generateKeyPairSync('ed25519')
  return { privateKey, verifier: noteVerifier(ORIGIN, privateKey, NOTE_TYPE.ed25519) }
}

export function temporaryDirectory(): { dir: string } & Disposable {
  const dir = mkdtempSync(join(tmpdir(), 'tree-'))
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) }
}

/** A record as a gateway stores it. */
export function newRecord(detail: string): SealedRecord {
  const at = new Date()
  const record: LogRecord = {
    ...{ exchangeId: crypto.randomUUID(), side: 'client', kind: 'refusal' },
    ...{ at, recordedAt: at, detail },
  }
  const salt = newSalt()
  return { record, salt, commitment: commitmentOf(salt, recordText(record)) }
}

/** Records that grow when told to: only what the tree needs of them. */
export interface Records {
  readonly source: GrowthDeps['records']
  readonly leaves: Buffer[]
  add(count: number): void
}

export function growingRecords(): Records {
  const commitments: Buffer[] = []
  const leaves: Buffer[] = []
  return {
    leaves,
    add: (count) => {
      for (let i = 0; i < count; i += 1) {
        const commitment = hash('sha256', `record ${commitments.length}`, 'buffer')
        commitments.push(commitment)
        leaves.push(leafHash(commitment))
      }
    },
    source: {
      commitments: async (position, limit) => commitments.slice(position, position + limit),
      after: async (position, limit) =>
        commitments.slice(position, position + limit).map((commitment, i) => ({
          ...newRecord('').record,
          ...{ salt: Buffer.alloc(32), commitment, position: position + i + 1 },
        })),
      extent: async () => ({ last: commitments.length, first: 1, bytes: 0 }),
    },
  }
}

/** What is wrong with a checkpoint of these leaves; undefined when nothing is. */
export function faultOf(
  checkpoint: Pick<StoredCheckpoint, 'size' | 'note' | 'rootHash'>,
  leaves: readonly Buffer[],
  { verifier }: LogKey,
): string | undefined {
  const { size, rootHash, note } = checkpoint
  const read = parseCheckpoint(note)
  verifyNote(read.note, [verifier])
  if (read.size !== size || !read.rootHash.equals(rootHash)) return `${size}: another than its note`
  const isRoot = naiveRoot(leaves.slice(0, size)).equals(rootHash)
  return isRoot && size <= leaves.length ? undefined : `${size}: not of these records`
}

/** Every checkpoint that a store was asked to keep, kept or not: all of them are signed. */
export function watchSigned(tree: TreeStore): { tree: TreeStore; signed: StoredCheckpoint[] } {
  const signed: StoredCheckpoint[] = []
  const watched: TreeStore = {
    ...tree,
    advance: (from, tiles, checkpoint) => {
      signed.push(checkpoint)
      return tree.advance(from, tiles, checkpoint)
    },
    [Symbol.asyncDispose]: () => tree[Symbol.asyncDispose](),
  }
  return { tree: watched, signed }
}
