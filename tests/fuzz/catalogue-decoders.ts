/** What gateways are told by whoever answers for the catalogue: statements about anchors, and snapshots in each form. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSnapshotDownload } from '../../gateway/catalogue/snapshot-download.ts'
import { parseAnchorStatement, verifyAnchorStatement } from '../../protocol/anchor-statement.ts'
import {
  fromPlainSnapshot,
  PLAIN_SNAPSHOT_TYPE,
  toPlainSnapshot,
} from '../../protocol/snapshot-form.ts'
import { verifySnapshot, type Anchor } from '../../protocol/snapshot.ts'
import { compressZstd } from '../../runtime/dictionary-zstd.ts'
import { expand, readVectors, type VectorText } from '../protocol/support.ts'
import type { Decoder } from './decoders.ts'

interface Statements {
  readonly anchors: Record<string, Anchor>
  readonly cases: { readonly anchor: string; statement: VectorText; number?: number }[]
}
const { anchors, cases } = readVectors<Statements>('anchor-statement')
const taken = cases.flatMap(({ anchor, statement, number }) =>
  number !== undefined && anchor === 'one' ? expand(statement) : [],
)
const envelope = JSON.parse(taken[0]!) as { payload: string; signatures: object[] }

interface Delta {
  readonly base: string
  readonly coded: string
  readonly jws?: string
}
const [delta] = readVectors<Delta[]>('snapshot-delta')
const { base, jws: next = '', coded } = delta!
const { anchor } = readVectors<{ anchor: Anchor }>('snapshot')
const folder = mkdtempSync(join(tmpdir(), 'spean-fuzz-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
const file = join(folder, 'snapshot.jws')
writeFileSync(file, base)

const zstd = await compressZstd(toPlainSnapshot(next))
const beginsAs = (bytes: Buffer, other: Buffer): boolean =>
  bytes.subarray(0, 4).equals(other.subarray(0, 4))
const DCZ = Buffer.from(coded, 'base64')

export const CATALOGUE_DECODERS: Readonly<Record<string, Decoder>> = {
  'anchor-statement': {
    seeds: taken.map((statement) => Buffer.from(statement)),
    decode: (bytes) => verifyAnchorStatement(bytes.toString(), anchors.one!),
  },
  // Behind base64url hardly any change is reached.
  'anchor-payload': {
    seeds: taken.map((statement) =>
      Buffer.from((JSON.parse(statement) as typeof envelope).payload, 'base64url'),
    ),
    decode: (bytes) =>
      parseAnchorStatement(JSON.stringify({ ...envelope, payload: bytes.toString('base64url') })),
  },
  'snapshot-answer': {
    seeds: [DCZ, zstd, toPlainSnapshot(next), Buffer.from(next)],
    decode: readAnswer,
  },
}

/** As it would be told what is new after `base`: what it is begins with other bytes in each form. */
async function readAnswer(bytes: Buffer): Promise<void> {
  const download = createSnapshotDownload(file)
  download.keep(base)
  const coding = beginsAs(bytes, DCZ) ? 'dcz' : beginsAs(bytes, zstd) ? 'zstd' : 'identity'
  const isPlain = coding !== 'identity' || bytes.subarray(0, 2000).includes('..')
  const type = isPlain ? PLAIN_SNAPSHOT_TYPE : 'application/jose'
  const jws = await download.read({ 'content-type': type, 'content-encoding': coding }, bytes)
  if (jws === undefined) return
  if (isPlain && fromPlainSnapshot(toPlainSnapshot(jws)) !== jws) {
    throw new TypeError('a snapshot is not the same after it has travelled')
  }
  await verifySnapshot(jws, anchor)
}
