/** Cosignatures that running witnesses gave, by a program that is not ours. */
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseCheckpoint } from '../../protocol/checkpoint.ts'
import { formatNote, formatVkey, isBy } from '../../protocol/signed-note.ts'
import { parsePolicy } from '../../protocol/tlog-policy.ts'
import { startFederation, type Federation } from '../support/federation.ts'
import { buildGoJudge, type GoJudge } from '../support/go-judge.ts'
import { get } from '../support/transparency.ts'

let f: Federation
let go: GoJudge
beforeAll(async () => {
  ;[f, go] = await Promise.all([
    startFederation(),
    buildGoJudge(join(import.meta.dirname, 'transparency')),
  ])
}, 120_000)
afterAll(async () => {
  go[Symbol.dispose]()
  await f[Symbol.asyncDispose]()
})

async function cosigned(): Promise<string> {
  for (;;) {
    const port = f.provider.running.ports.transparency
    const { status, body } = await get({ port, ca: f.ca, path: '/log/checkpoint' })
    const text = body.toString()
    if (status === 200 && parseCheckpoint(text).note.signatures.length === 3) return text
    await new Promise((done) => setTimeout(done, 50))
  }
}

it("Go's note package opens a checkpoint by the keys of the policy, and none with a changed bit in a signature", async () => {
  expect((await f.call('/r1/KH-TEST/GOV/REG/POP/echo')).status).toBe(200)
  const { note } = parseCheckpoint(await cosigned())
  const { logPolicy } = await f.catalogueAdmin.call<{ logPolicy: string }>(
    'GET',
    '/admin/witness-policy',
  )
  const { logs, witnesses } = parsePolicy(logPolicy)
  const signers = [...logs, ...witnesses]
    .map(({ verifier }) => verifier)
    .filter((verifier) => note.signatures.some((signature) => isBy(signature, verifier)))
  const vkeys = signers.map(formatVkey)
  expect(vkeys).toHaveLength(3)
  const changed = note.signatures.flatMap((signature, k) =>
    Array.from(signature.signature, (_, i) => {
      const copy = Buffer.from(signature.signature)
      copy[i]! ^= 1 << (i % 8)
      return note.signatures.with(k, { ...signature, signature: copy })
    }),
  )
  const questions = [note.signatures, ...changed].map((signatures) => ({
    ...{ kind: 'note', vkeys },
    note: formatNote(note.text, signatures),
  }))
  const { lines, exitCode } = await go.run(['check'], questions)
  expect(exitCode).toBe(0)
  const faults = lines.map((line) => 'fault' in (JSON.parse(line) as object))
  expect(faults).toEqual([false, ...changed.map(() => true)])
})
