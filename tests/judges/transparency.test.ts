import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cosign, parseCheckpoint } from '../../protocol/checkpoint.ts'
import { consistencyProof, inclusionProof, leafHash, tilePath } from '../../protocol/merkle-tree.ts'
import {
  formatNote,
  formatSignatureLine,
  formatVkey,
  NOTE_TYPE,
  noteVerifier,
} from '../../protocol/signed-note.ts'
import { tileReader } from '../../exchange-log/tree-reader.ts'
import { readKeyFile } from '../../pki/keys.ts'
import { startFederation, type Federation } from '../support/federation.ts'
import { buildGoJudge, type GoJudge } from '../support/go-judge.ts'
import { get } from '../support/transparency.ts'

/** Records of one gateway: more than a tile holds. */
const EXCHANGES = 140

let f: Federation
let go: GoJudge
let vkey: string
let caFile: string
let url: string
let old: string
let now: string

interface Verdict {
  readonly fault?: string
  readonly text?: string
  readonly size?: number
  readonly root: string
  readonly proof?: string[]
}

const served = async (path: string): Promise<Buffer> => {
  const port = f.provider.running.ports.transparency
  const { status, body } = await get({ port, ca: f.ca, path: `/log/${path}` })
  expect(status, path).toBe(200)
  return body
}

async function checkpointFrom(size: number): Promise<string> {
  const port = f.provider.running.ports.transparency
  for (;;) {
    const { status, body } = await get({ port, ca: f.ca, path: '/log/checkpoint' })
    const text = body.toString()
    if (status === 200 && parseCheckpoint(text).size >= size) return text
    await new Promise((done) => setTimeout(done, 50))
  }
}

async function ask(args: string[], questions: object[]): Promise<Verdict[]> {
  const { lines, exitCode, errors } = await go.run(args, questions)
  expect([exitCode, errors]).toEqual([0, ''])
  return lines.map((line) => JSON.parse(line) as Verdict)
}
const faults = async (questions: object[]): Promise<boolean[]> =>
  (await ask(['check'], questions)).map(({ fault }) => fault !== undefined)

/** The same with one bit changed, in each of its bytes once. */
function changes(base64: string): string[] {
  const bytes = Buffer.from(base64, 'base64')
  return Array.from(bytes, (_, i) => {
    const copy = Buffer.from(bytes)
    copy[i]! ^= 1 << (i % 8)
    return copy.toString('base64')
  })
}

beforeAll(async () => {
  ;[f, go] = await Promise.all([
    startFederation(),
    buildGoJudge(join(import.meta.dirname, 'transparency')),
  ])
  const call = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) await f.call('/r1/KH-TEST/GOV/REG/POP/echo')
  }
  await call(3)
  old = await checkpointFrom(6)
  await call(EXCHANGES)
  now = await checkpointFrom(6 + 2 * EXCHANGES)
  const { privateKey } = readKeyFile(`${f.provider.config.stateDir}/log.key`)
  vkey = formatVkey(noteVerifier(parseCheckpoint(now).origin, privateKey, NOTE_TYPE.ed25519))
  caFile = join(f.dir, 'judge-ca.pem')
  writeFileSync(caFile, f.ca)
  url = `https://127.0.0.1:${f.provider.running.ports.transparency}/log`
}, 120_000)
afterAll(async () => {
  go[Symbol.dispose]()
  await f[Symbol.asyncDispose]()
})

describe("Go's x/mod/sumdb", () => {
  it('opens the checkpoint of a running gateway, and none with one changed bit', async () => {
    // Without cosignatures: what is said by others is passed over, and no change of it is a fault.
    const { note: signed } = parseCheckpoint(now)
    const own = formatNote(signed.text, signed.signatures.slice(0, 1))
    const note = { kind: 'note', note: own, vkeys: [vkey] }
    const [opened] = await ask(['check'], [note])
    expect(opened?.fault).toBeUndefined()
    expect(own.startsWith(`${opened?.text}\n`)).toBe(true)
    const bytes = Buffer.from(own)
    const every = Array.from(bytes, (_, i) => {
      const copy = Buffer.from(bytes)
      copy[i]! ^= 1 << (i % 3)
      return { ...note, note: copy.toString() }
    })
    // The last character of the Base64 has two bits that are no part of the signature; Go reads them leniently.
    const changed = every.filter((_, i) => i !== bytes.length - '=\n'.length - 1)
    expect(await faults(changed)).toEqual(changed.map(() => true))
  })

  it('recomputes the whole tree from the entries, and finds it in every tile', async () => {
    const { exitCode, lines, errors } = await go.run(['monitor', url, caFile, vkey])
    expect([exitCode, errors]).toEqual([0, ''])
    const { size, root } = JSON.parse(lines[0]!) as Verdict
    const checkpoint = parseCheckpoint(now)
    expect([size, root]).toEqual([checkpoint.size, checkpoint.rootHash.toString('base64')])
  })

  it('believes a checkpoint only by the key of the log', async () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const origin = parseCheckpoint(now).origin
    const other = formatVkey(noteVerifier(origin, privateKey, NOTE_TYPE.ed25519))
    const { exitCode, errors } = await go.run(['monitor', url, caFile, other])
    expect([exitCode, errors]).toEqual([1, expect.stringContaining('verifiable')])
  })

  it('makes inclusion proofs of its tiles as we do, accepts them, and none with one changed bit', async () => {
    const { size, rootHash } = parseCheckpoint(now)
    const root = rootHash.toString('base64')
    const read = tileReader({
      tile: async (level, index) => {
        const width = Math.floor(size / 256 ** level) - index * 256
        return served(tilePath(level, index, Math.min(256, width)))
      },
    })
    const indices = [0, 5, 255, 256, size - 1]
    const made = await ask(
      ['prove', url, caFile, vkey],
      indices.map((index) => ({ kind: 'record', index })),
    )
    for (const [i, index] of indices.entries()) {
      const proof = (await inclusionProof(index, size, read)).map((one) => one.toString('base64'))
      expect(made[i]).toMatchObject({ size, root, proof })
      const leaf = (await leafAt(index)).toString('base64')
      const good = { kind: 'record', index, size, root, leaf, proof }
      const bad = [
        ...changes(leaf).map((changed) => ({ ...good, leaf: changed })),
        ...changes(root).map((changed) => ({ ...good, root: changed })),
        ...proof.flatMap((one, k) =>
          changes(one).map((changed) => ({ ...good, proof: proof.with(k, changed) })),
        ),
        { ...good, index: (index + 1) % size },
        { ...good, proof: proof.slice(1) },
      ]
      expect(await faults([good, ...bad])).toEqual([false, ...bad.map(() => true)])
    }
  })

  it('makes a consistency proof as we do, accepts it, and none with one changed bit', async () => {
    const [before, after] = [old, now].map(parseCheckpoint)
    const { size, rootHash } = after!
    const read = tileReader({
      tile: async (level, index) => {
        const width = Math.floor(size / 256 ** level) - index * 256
        return served(tilePath(level, index, Math.min(256, width)))
      },
    })
    const [made] = await ask(
      ['prove', url, caFile, vkey],
      [{ kind: 'tree', oldSize: before!.size }],
    )
    const proof = (await consistencyProof(before!.size, size, read)).map((one) =>
      one.toString('base64'),
    )
    expect(made?.proof).toEqual(proof)
    const root = rootHash.toString('base64')
    const oldRoot = before!.rootHash.toString('base64')
    const good = { kind: 'tree', oldSize: before!.size, oldRoot, size, root, proof }
    const bad = [
      ...changes(oldRoot).map((changed) => ({ ...good, oldRoot: changed })),
      ...changes(root).map((changed) => ({ ...good, root: changed })),
      ...proof.flatMap((one, k) =>
        changes(one).map((changed) => ({ ...good, proof: proof.with(k, changed) })),
      ),
      { ...good, oldSize: before!.size + 1 },
      { ...good, proof: proof.slice(1) },
    ]
    expect(await faults([good, ...bad])).toEqual([false, ...bad.map(() => true)])
  })

  it('verifies a cosignature by a verifier of ten lines, and none with one changed bit', async () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const witness = noteVerifier('spean/KH-TEST/witness', privateKey, NOTE_TYPE.cosignature)
    const { note } = parseCheckpoint(now)
    const signature = cosign(note.text, witness, privateKey, new Date())
    const vkeys = [vkey, formatVkey(witness)]
    const of = (changed: string): object => ({
      ...{ kind: 'note', vkeys },
      note: `${now}${formatSignatureLine({ ...signature, signature: Buffer.from(changed, 'base64') })}\n`,
    })
    const good = signature.signature.toString('base64')
    const bad = changes(good).map(of)
    expect(await faults([of(good), ...bad])).toEqual([false, ...bad.map(() => true)])
  })
})

async function leafAt(index: number): Promise<Buffer> {
  const { size } = parseCheckpoint(now)
  const tile = Math.floor(index / 256)
  const bundle = await served(tilePath('entries', tile, Math.min(256, size - tile * 256)))
  const start = (index % 256) * 34 + 2
  return leafHash(bundle.subarray(start, start + 32))
}
