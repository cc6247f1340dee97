import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseCheckpoint, verifyCosignature } from '../../protocol/checkpoint.ts'
import { EMPTY_ROOT } from '../../protocol/merkle-tree.ts'
import {
  formatSignatureLine,
  formatVkey,
  NOTE_TYPE,
  parseSignatureLine,
  signNote,
  verifyNote,
} from '../../protocol/signed-note.ts'
import { originHashOf, openWitnessState, REMEMBERED } from '../../witness/witness-state.ts'
import { createKey } from './keys.ts'
import {
  createLog,
  ORIGIN,
  post,
  sizeOf,
  startWitness,
  temporaryFolder,
  type Reply,
  type TestLog,
  type TestWitness,
} from './support.ts'

let log: TestLog
let witness: TestWitness
beforeAll(async () => {
  log = createLog()
  witness = await startWitness({ logs: [log.key.verifier] })
})
afterAll(() => witness[Symbol.asyncDispose]())

const submit = async (from: number, size: number, past?: string): Promise<Reply> =>
  post(witness.url, await log.submission(from, size, past))

describe('a log that grows', () => {
  it('is cosigned from its first checkpoint on', async () => {
    for (const [from, size] of [
      [0, 3],
      [3, 3],
      [3, 8],
      [8, 300],
    ] as const) {
      const { status, type, text } = await submit(from, size)
      expect([status, type]).toEqual([200, 'text/plain; charset=utf-8'])
      const line = parseSignatureLine(text.trimEnd())
      const checkpoint = parseCheckpoint(log.checkpoint(size))
      const at = verifyCosignature(checkpoint.note.text, line, witness.key.verifier)
      expect(Math.abs(at.getTime() - Date.now())).toBeLessThan(5000)
    }
  })

  it('is shown to monitors with the signatures of log and witness', async () => {
    const answer = await fetch(`${witness.url}/${originHashOf(ORIGIN)}/checkpoint`)
    const checkpoint = parseCheckpoint(await answer.text())
    expect([answer.status, checkpoint.size]).toEqual([200, 300])
    verifyNote(checkpoint.note, [log.key.verifier])
    verifyCosignature(checkpoint.note.text, checkpoint.note.signatures[1]!, witness.key.verifier)
    const none = await fetch(`${witness.url}/${originHashOf('other')}/checkpoint`)
    expect(none.status).toBe(404)
  })

  it('is kept without the signatures of strangers', async () => {
    const stranger = createKey('stranger', NOTE_TYPE.ed25519)
    const plain = await log.submission(300, 300)
    const { text } = parseCheckpoint(log.checkpoint(300)).note
    const line = formatSignatureLine(signNote(text, stranger.verifier, stranger.privateKey))
    expect((await post(witness.url, `${plain}${line}\n`)).status).toBe(200)
    const { signatures } = parseCheckpoint(witness.state.latest(ORIGIN)!.note).note
    expect(signatures.map(({ name }) => name)).toEqual([ORIGIN, witness.key.verifier.name])
  })

  it('learns from 409 where the witness is', async () => {
    expect(await submit(0, 310)).toEqual({ status: 409, type: 'text/x.tlog.size', text: '300\n' })
    expect((await submit(8, 20)).text).toBe('300\n')
  })
})

describe('what is refused', () => {
  const note = (): string => log.checkpoint(310)
  it.each<[string, () => string | Promise<string>, number]>([
    ['nothing', () => '', 400],
    ['no empty line', () => 'old 300', 400],
    ['no old line', () => `new 300\n\n${note()}`, 400],
    ['a size with a leading zero', () => `old 0300\n\n${note()}`, 400],
    ['a size beyond numbers', () => `old 99999999999999999\n\n${note()}`, 400],
    ['a proof line of another length', () => `old 300\nAAAA\n\n${note()}`, 400],
    ['a proof line that is no Base64', () => `old 300\n${'?'.repeat(44)}\n\n${note()}`, 400],
    [
      '64 proof lines',
      () => `old 300\n${`${EMPTY_ROOT.toString('base64')}\n`.repeat(64)}\n${note()}`,
      400,
    ],
    ['a checkpoint without signature', () => `old 300\n\n${note().split('\n\n')[0]}\n`, 400],
    [
      'an old size above the new one',
      async () => (await log.submission(5, 5)).replace('5', '6'),
      400,
    ],
    ['carriage returns', () => `old 300\r\n\r\n${note()}`, 400],
    ['a log that is not served', () => createLog('other').submission(0, 1), 404],
    ['the signature of another key', () => createLog().submission(300, 310), 403],
    [
      'a signature that does not verify',
      async () => (await log.submission(300, 310)).replace('\n310\n', '\n311\n'),
      403,
    ],
    [
      'a root for the empty tree',
      () => `old 0\n\n${ORIGIN}\n0\n${'A'.repeat(43)}=\n\n— ${ORIGIN} AAAAAAAA\n`,
      422,
    ],
  ])('%s', async (_, body, status) => {
    expect((await post(witness.url, await body())).status).toBe(status)
    expect(sizeOf(witness.state.latest(ORIGIN)?.note)).toBe(300)
  })

  it('a body that is too long, and one that is compressed', async () => {
    expect((await post(witness.url, 'x'.repeat(70_000))).status).toBe(413)
    const headers = { 'content-encoding': 'gzip' }
    expect((await post(witness.url, 'x', headers)).status).toBe(400)
  })

  it('any text at all, without a crash', async () => {
    const good = await log.submission(300, 310)
    const altered = fc
      .tuple(fc.nat(good.length - 1), fc.string({ minLength: 1, maxLength: 3 }))
      .map(([at, text]) => good.slice(0, at) + text + good.slice(at + text.length))
      .filter((text) => text !== good)
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string({ unit: 'binary' }), altered), async (text) => {
        const { status } = await witness.witness.addCheckpoint(text)
        expect([400, 403, 404, 409, 422]).toContain(status)
      }),
      { numRuns: 300 },
    )
    expect(sizeOf(witness.state.latest(ORIGIN)?.note)).toBe(300)
  })
})

describe('a log that does not only grow', () => {
  const kinds = (): unknown[] =>
    witness.witness.describe().misbehaving.map(({ kind, origin }) => [kind, origin])

  it('and signs another tree of the same size is refused; both notes are kept for ever', async () => {
    expect((await submit(300, 300, 'false')).status).toBe(422)
    const [refusal] = witness.state.refusals()
    expect(refusal).toMatchObject({ kind: 'fork', origin: ORIGIN, isOpen: true })
    const [one, other] = [refusal!.refused, refusal!.cosigned].map(parseCheckpoint)
    for (const { note } of [one!, other!]) verifyNote(note, [log.key.verifier])
    expect(one!.size).toBe(other!.size)
    expect(one!.rootHash.equals(other!.rootHash)).toBe(false)
    expect((await submit(300, 305)).status).toBe(200)
    expect(kinds()).toEqual([['fork', ORIGIN]])
  })

  it('and forks at a size of before is known by what was cosigned then', async () => {
    expect((await submit(0, 8, 'false')).status).toBe(409)
    expect(witness.witness.describe().refused.fork).toBe(2)
  })

  it('and goes on from another past stands refused until it goes on from its own', async () => {
    const before = witness.witness.describe().refused.inconsistent
    expect((await submit(305, 320, 'false')).status).toBe(422)
    expect(kinds()).toContainEqual(['inconsistent', ORIGIN])
    expect((await submit(305, 320)).status).toBe(200)
    expect(kinds()).not.toContainEqual(['inconsistent', ORIGIN])
    expect(witness.witness.describe().refused.inconsistent).toBe(before + 1)
  })

  it('and shows less than before stands refused until it shows more; what was cosigned is no news', async () => {
    expect((await submit(300, 305)).status).toBe(409)
    expect(kinds()).not.toContainEqual(['shrunk', ORIGIN])
    expect((await submit(0, 310)).status).toBe(409)
    expect(kinds()).toContainEqual(['shrunk', ORIGIN])
    expect((await submit(320, 321)).status).toBe(200)
    expect(kinds()).not.toContainEqual(['shrunk', ORIGIN])
  })

  it('cannot have more of what is not proved kept than there is room for', async () => {
    await Promise.all(Array.from({ length: 280 }, (_, i) => submit(0, i + 10)))
    expect(witness.state.countRefusals()).toMatchObject({ fork: 2, shrunk: 200 })
  })
})

it('remembers the newest checkpoints of a log only', () => {
  using state = openWitnessState(join(temporaryFolder(), 'many.db'))
  const kept = (size: number) => ({ size, rootHash: Buffer.alloc(32), note: 'a note' })
  const all = (count: number, from = 1): void =>
    state.transaction(() => {
      for (let i = 0; i < count; i += 1) state.keep('one', kept(from + i), new Date())
    })
  state.keep('other', kept(1), new Date())
  all(REMEMBERED)
  expect(state.cosigned('one', 1)).toBeDefined()
  all(2, REMEMBERED + 1)
  expect([1, 2, 3].map((size) => state.cosigned('one', size)?.size)).toEqual([
    undefined,
    undefined,
    3,
  ])
  expect(state.latest('other')?.size).toBe(1)
})

describe('at one time', () => {
  it('two checkpoints that continue one: one of them is cosigned, the other hears where the witness is', async () => {
    const own = createLog()
    await using busy = await startWitness({ logs: [own.key.verifier] })
    for (let from = 0; from < 40; from += 4) {
      const bodies = await Promise.all(
        [1, 2, 3, 4].map((more) => own.submission(from, from + more)),
      )
      const answers = await Promise.all(bodies.map((body) => post(busy.url, body)))
      const cosigned = answers.filter(({ status }) => status === 200)
      expect(cosigned).toHaveLength(1)
      const now = sizeOf(busy.state.latest(ORIGIN)?.note)!
      for (const { status, text } of answers) if (status === 409) expect(Number(text)).toBe(now)
      expect((await post(busy.url, await own.submission(now, from + 4))).status).toBe(200)
    }
  })

  it('two processes with one state never cosign a smaller tree after a larger one', async () => {
    const own = createLog()
    const file = join(temporaryFolder(), 'witness.db')
    const logs = [own.key.verifier]
    await using one = await startWitness({ logs, file })
    await using other = await startWitness({ logs, file, key: one.key })
    await post(one.url, await own.submission(0, 1))
    const bodies = await Promise.all([5, 3, 9, 2, 7].map((size) => own.submission(1, size)))
    const answers = await Promise.all(
      bodies.flatMap((body) => [post(one.url, body), post(other.url, body)]),
    )
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
  })
})

it('a cosignature that was given is there after a kill at any moment', async () => {
  const own = createLog()
  const file = join(temporaryFolder(), 'witness.db')
  for (let run = 0; run < 5; run += 1) {
    const child = fork(join(import.meta.dirname, 'cosign-until-killed.ts'), [file])
    const bodies: string[] = []
    let from = 0
    {
      using state = openWitnessState(file)
      from = state.latest(ORIGIN)?.size ?? 0
    }
    for (let size = from; size < from + 60; size += 1) {
      bodies.push(await own.submission(size, size + 1))
    }
    let answered = from
    child.on('message', (size: number) => (answered = size))
    child.send({ vkey: formatVkey(own.key.verifier), bodies })
    while (answered < from + 5 + run * 7) await new Promise((done) => setTimeout(done, 1))
    child.kill('SIGKILL')
    await once(child, 'exit')
    using state = openWitnessState(file)
    expect(state.latest(ORIGIN)!.size).toBeGreaterThanOrEqual(answered)
  }
})
