import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { checkpointText, parseCheckpoint } from '../../protocol/checkpoint.ts'
import {
  consistencyProof,
  HASH_BYTES,
  leafHash,
  rootOf,
  TILE_WIDTH,
  type ReadHashes,
} from '../../protocol/merkle-tree.ts'
import { formatNote, NOTE_TYPE, signNote, type NoteVerifier } from '../../protocol/signed-note.ts'
import { createApi } from '../../runtime/admin-api.ts'
import { listen } from '../../runtime/lifecycle.ts'
import { createKey, logger } from './keys.ts'
import { formatSubmission } from '../../witness/submission.ts'
import { createWitnessRoutes } from '../../witness/witness-routes.ts'
import { openWitnessState, type WitnessState } from '../../witness/witness-state.ts'
import { createWitness, type Witness, type WitnessKey } from '../../witness/witness.ts'

const folders: string[] = []
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })))

/** Removed when the tests of the file are over. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'witness-'))
  folders.push(folder)
  return folder
}

/** A log of small leaves; another `past` is another tree. */
export interface TestLog {
  readonly key: WitnessKey
  checkpoint(size: number, past?: string): string
  submission(from: number, size: number, past?: string): Promise<string>
}
export const ORIGIN = 'spean/KH-TEST/GOV/REG/REG-1/log'

export function createLog(origin = ORIGIN): TestLog {
  const key = createKey(origin, NOTE_TYPE.ed25519)
  const { verifier, privateKey } = key
  const checkpoint = (size: number, past = 'true'): string => {
    const text = checkpointText({ origin, size, rootHash: rootOf(leavesOf(size, past)) })
    return formatNote(text, [signNote(text, verifier, privateKey)])
  }
  return {
    key,
    checkpoint,
    submission: async (from, size, past = 'true') =>
      formatSubmission(
        from,
        await consistencyProof(from, size, hashesOf(leavesOf(size, past))),
        checkpoint(size, past),
      ),
  }
}

const leavesOf = (size: number, past: string): Buffer[] =>
  Array.from({ length: size }, (_, i) => leafHash(Buffer.from(`${past} ${i}`)))

function hashesOf(leaves: readonly Buffer[]): ReadHashes {
  return (level, from, to) => {
    const span = TILE_WIDTH ** (level / 8)
    const hashes = Array.from({ length: to - from }, (_, i) =>
      rootOf(leaves.slice((from + i) * span, (from + i + 1) * span)),
    )
    const all = Buffer.concat(hashes)
    return Promise.resolve(all.subarray(0, (to - from) * HASH_BYTES))
  }
}

export interface TestWitness extends AsyncDisposable {
  readonly key: WitnessKey
  readonly state: WitnessState
  readonly witness: Witness
  /** Submission and monitoring prefix. */
  readonly url: string
  readonly port: number
}

/** A witness on a port of its own. */
export async function startWitness(options: {
  readonly logs: readonly NoteVerifier[]
  readonly key?: WitnessKey
  readonly file?: string
  readonly port?: number
  readonly clock?: () => Date
}): Promise<TestWitness> {
  const { logs, key = createKey('spean/KH-TEST/witness'), port: wanted = 0 } = options
  const { file = join(temporaryFolder(), 'witness.db'), clock = () => new Date() } = options
  const state = openWitnessState(file)
  const keysOf = (origin: string): NoteVerifier[] => logs.filter(({ name }) => name === origin)
  const witness = createWitness({ key, state, keysOf, clock, logger })
  const routes = createWitnessRoutes(witness)
  const api = createApi({ routes, token: 'none', origin: 'catalogue', logger })
  const server = await listen(createServer(api), wanted)
  const { port } = server
  return {
    ...{ key, state, witness, port, url: `http://127.0.0.1:${port}/witness` },
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]()
      state[Symbol.dispose]()
    },
  }
}

export interface Reply {
  readonly status: number
  readonly type: string | null
  readonly text: string
}
export async function post(url: string, body: string, headers = {}): Promise<Reply> {
  const answer = await fetch(`${url}/add-checkpoint`, { method: 'POST', body, headers })
  return {
    status: answer.status,
    type: answer.headers.get('content-type'),
    text: await answer.text(),
  }
}

export const sizeOf = (note: string | undefined): number | undefined =>
  note === undefined ? undefined : parseCheckpoint(note).size
