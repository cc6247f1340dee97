/** Cosignatures and quorum in evidence, as its VERIFY.md and we judge them. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { verifyEvidence } from '../../exchange-log/evidence/verify.ts'
import { cosign, parseCheckpoint } from '../../protocol/checkpoint.ts'
import { formatSignatureLine, formatVkey, noteVerifier } from '../../protocol/signed-note.ts'
import { filesOf, pack, resummed } from './evidence-archive.ts'
import { judge, unpack } from './evidence-support.ts'

const witnesses = ['KH-TEST/one/witness', 'KH-TEST/two/witness', 'KH-TEST/three/witness'].map(
  (name) => {
    const { privateKey } = generateKeyPairSync('ed25519')
    return { privateKey, verifier: noteVerifier(name, privateKey, 0x04) }
  },
)

async function witnessed(threshold: string, signers: number, alter = false) {
  const seed = join(import.meta.dirname, '..', 'fuzz', 'seeds', 'evidence.zip')
  const files = await filesOf(readFileSync(seed))
  const checkpoint = files.get('checkpoint')!.toString()
  const { text } = parseCheckpoint(checkpoint).note
  const at = new Date('2026-11-24T14:00:00Z')
  const lines = witnesses.slice(0, signers).map(({ privateKey, verifier }) => {
    const signed = alter ? text.replace('\n', '/x\n') : text
    return `${formatSignatureLine(cosign(signed, verifier, privateKey, at))}\n`
  })
  const added = lines.join('')
  const policy = [
    files.get('policy')!.toString().split('\n')[0],
    ...witnesses.map(({ verifier }, i) => `witness w${i} ${formatVkey(verifier)}`),
    `group g ${threshold} w0 w1 w2`,
    'quorum g',
  ]
  const changed = new Map(files)
  for (const name of ['checkpoint', 'request/proof.tlog-proof', 'response/proof.tlog-proof']) {
    changed.set(name, Buffer.from(files.get(name)!.toString() + added))
  }
  changed.set('policy', Buffer.from(`${policy.join('\n')}\n`))
  return resummed(changed)
}

it.each([
  ['2', 2, false, 'verified'],
  ['any', 1, false, 'verified'],
  ['all', 3, false, 'verified'],
  ['2', 1, false, 'evidence.witnesses-too-few'],
  ['all', 2, false, 'evidence.witnesses-too-few'],
  ['2', 2, true, 'evidence.checkpoint-invalid'],
] as const)(
  'a policy of %s with %s cosignatures (altered: %s): %s',
  async (threshold, signers, alter, wanted) => {
    const files = await witnessed(threshold, signers, alter)
    const folder = mkdtempSync(join(tmpdir(), 'spean-witnessed-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'e.zip')
    writeFileSync(file, await pack(files))
    const { verdict, checks } = await verifyEvidence(file)
    expect(checks.at(-1)?.code ?? verdict).toBe(wanted)
    const { status, printed, errors } = await judge(unpack(files))
    expect({ proved: status === 0, printed, errors }).toMatchObject({
      proved: wanted === 'verified',
    })
  },
  60_000,
)
