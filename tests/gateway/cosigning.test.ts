import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { checkpointText, cosign, parseCheckpoint } from '../../protocol/checkpoint.ts'
import { formatNote, formatSignatureLine, NOTE_TYPE, signNote } from '../../protocol/signed-note.ts'
import { judgeCosignatures } from '../../protocol/tlog-policy.ts'
import { createKey, logger } from '../witness/keys.ts'
import { createLog, ORIGIN, startWitness, temporaryFolder } from '../witness/support.ts'
import { openOwnLog, policyOf, startLiar, until } from './cosigning-support.ts'

it('while records come all the time, checkpoints still get enough cosignatures of one kind', async () => {
  await using log = await openOwnLog()
  const logs = [log.key.verifier]
  await using one = await startWitness({ logs })
  await using other = await startWitness({ logs, key: createKey('other') })
  // Slow: forwards after a while.
  await using slow = await startLiar(async (request, response) => {
    const body = await text(request)
    await new Promise((done) => setTimeout(done, 150))
    const { status, text: answer } = await other.witness.addCheckpoint(body)
    response.writeHead(status).end(answer)
  })
  const policy = policyOf(log.key, 2, one, { key: other.key, url: slow.url })
  const cosigning = log.cosign(policy)
  let size = 0
  while ((cosigning.health().witnessedSize ?? 0) < 20) {
    await log.append(3)
    await log.integrate()
    size += 3
  }
  await until(() => cosigning.health().witnessedSize === size)
  const { note, cosignatures } = (await log.tree.witnessedHead())!
  const cosigned = parseCheckpoint(`${note}${cosignatures.join('\n')}\n`)
  expect(judgeCosignatures(cosigned, policy)).toMatchObject({ isEnough: true, by: { length: 2 } })
})

it('a witness that is away is an alarm with an age, until it is back', async () => {
  const told: string[] = []
  const noting = Object.assign(Object.create(logger) as typeof logger, {
    warn: (_: unknown, message: string) => told.push(message),
    info: (_: unknown, message: string) => told.push(message),
  })
  await using log = await openOwnLog()
  const own = await startWitness({ logs: [log.key.verifier] })
  const { key, port } = own
  const cosigning = log.cosign(policyOf(log.key, 1, own), noting)
  await log.append(1)
  await log.integrate()
  await until(() => cosigning.health().witnessedSize === 1)
  await own[Symbol.asyncDispose]()
  await log.append(1)
  await log.integrate()
  await until(() => told.some((line) => line.includes('too few')))
  expect(cosigning.health().state).toBe('late')
  const { waitingSince, witnesses } = cosigning.health()
  expect(waitingSince).toEqual((await log.tree.checkpoint(2))!.at)
  expect(witnesses[0]!.fault).toContain('ECONNREFUSED')
  // With an empty state: to it the log is a new one.
  await using _back = await startWitness({ logs: [log.key.verifier], key, port })
  await until(() => told.some((line) => line.includes('enough cosignatures again')))
  expect(cosigning.health().state).toBe('ok')
  expect(told.filter((line) => line.includes('too few'))).toHaveLength(1)
  expect(told.filter((line) => line.includes('enough cosignatures again'))).toHaveLength(1)
})

const status =
  (code: number, body: string): RequestListener =>
  (_, response) =>
    void response.writeHead(code).end(body)

/** Cosigns by another key, at another time, or another text. */
const cosigningBy =
  (change: (body: string) => string) =>
  async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.writeHead(200).end(change(await text(request)))
  }
const textOf = (body: string): string =>
  parseCheckpoint(body.slice(body.indexOf('\n\n') + 2)).note.text
const stranger = createKey('liar')
const line = (signed: string, at = new Date()): string =>
  `${formatSignatureLine(cosign(signed, stranger.verifier, stranger.privateKey, at))}\n`

describe('a witness that lies is passed over, stops nothing, and is named', () => {
  it.each<[string, RequestListener]>([
    ['with garbage', status(200, '\0\xff— nonsense\n')],
    ['with nothing', status(200, '')],
    ['with a cosignature by another key', cosigningBy((body) => line(textOf(body)))],
    [
      'with a key of its name and a broken signature',
      cosigningBy((body) => line(`${textOf(body)}more\n`)),
    ],
    ['with a size that no tree has', status(409, '9007199254740991\n')],
    ['with the size that it was told', status(409, '0\n')],
    ['with another size each time', (_, r) => void r.writeHead(409).end(`${(sizes += 1) % 3}\n`)],
    ['with 422', status(422, 'no\n')],
    ['with an error', status(500, '<html>')],
    ['with a redirect', (_, r) => void r.writeHead(307, { location: '/' }).end()],
    ['with a body without end', (_, r) => endless(r)],
    ['by hanging up', (request) => void request.socket.destroy()],
    [
      'with a checkpoint that this log never signed',
      (request, response) => {
        const forged = createLog().checkpoint(99)
        const isGet = request.method === 'GET'
        response.writeHead(isGet ? 200 : 409).end(isGet ? forged : '99\n')
      },
    ],
    [
      'with a checkpoint of another log of ours',
      (request, response) => {
        const isGet = request.method === 'GET'
        response.writeHead(isGet ? 200 : 409).end(isGet ? createLog('x').checkpoint(99) : '99\n')
      },
    ],
  ])('%s', async (_, answer) => {
    await using log = await openOwnLog()
    await using liar = await startLiar(answer)
    await using honest = await startWitness({ logs: [log.key.verifier] })
    const cosigning = log.cosign(policyOf(log.key, 1, liar, honest))
    await log.append(5)
    await log.integrate()
    await until(() => cosigning.health().witnessedSize === 5)
    await until(() => cosigning.health().witnesses[0]!.fault !== undefined)
    expect(cosigning.health().witnesses[0]!.fault).toContain(liar.url)
    expect(cosigning.health().witnesses[1]!.fault).toBeUndefined()
    expect(log.guard.rolledBack).toBeUndefined()
    await log.append(1)
  })
})
let sizes = 0
function endless(response: ServerResponse): void {
  response.writeHead(200)
  const write = (): void => {
    if (!response.destroyed) response.write('x'.repeat(16_384), () => setImmediate(write))
  }
  write()
}

describe('a store that witnesses have seen more of', () => {
  it('is refused while it runs, when a witness comes back after the start', async () => {
    const key = createKey(ORIGIN, NOTE_TYPE.ed25519)
    await using witness = await startWitness({ logs: [key.verifier] })
    {
      await using log = await openOwnLog({ key })
      await log.append(9)
      const cosigning = log.cosign(policyOf(key, 1, witness))
      await log.integrate()
      await until(() => cosigning.health().witnessedSize === 9)
    }
    await using old = await openOwnLog({ key })
    await old.append(4)
    await old.integrate()
    old.cosign(policyOf(key, 1, witness))
    await until(() => old.guard.rolledBack !== undefined)
    expect(old.guard.rolledBack?.shown?.note).toContain('\n9\n')
    await expect(old.append(1)).rejects.toMatchObject({ code: 'log.behind-witnesses' })
    await old.integrate()
    expect((await old.tree.head())?.size).toBe(4)
  })

  it('is refused too when it has grown beyond what they saw, from another past', async () => {
    const key = createKey(ORIGIN, NOTE_TYPE.ed25519)
    await using witness = await startWitness({ logs: [key.verifier] })
    const other = createLog()
    const text3 = checkpointText(parseCheckpoint(other.checkpoint(3)))
    const note = formatNote(text3, [signNote(text3, key.verifier, key.privateKey)])
    expect((await witness.witness.addCheckpoint(`old 0\n\n${note}`)).status).toBe(200)
    await using log = await openOwnLog({ key })
    await log.append(7)
    await log.integrate()
    log.cosign(policyOf(key, 1, witness))
    await until(() => log.guard.rolledBack !== undefined)
    expect(witness.witness.describe().misbehaving).toMatchObject([{ kind: 'inconsistent' }])
  })

  it('is none when only the tree was lost: it is made again from the records, the same', async () => {
    const dir = temporaryFolder()
    const key = createKey(ORIGIN, NOTE_TYPE.ed25519)
    await using witness = await startWitness({ logs: [key.verifier] })
    {
      await using log = await openOwnLog({ key, dir })
      await log.append(300)
      const cosigning = log.cosign(policyOf(key, 1, witness))
      await log.integrate()
      await until(() => cosigning.health().witnessedSize === 300)
    }
    await using log = await openOwnLog({ key, dir, treeDir: temporaryFolder() })
    const [asked] = policyOf(key, 1, witness).witnesses
    expect(await log.guard.compareWith(asked!)).toBe(300)
    await log.append(1)
    await log.integrate()
    const cosigning = log.cosign(policyOf(key, 1, witness))
    await until(() => cosigning.health().witnessedSize === 301)
  })

  it('is one whose records do not reach to its own tree', async () => {
    const treeDir = temporaryFolder()
    const key = createKey(ORIGIN, NOTE_TYPE.ed25519)
    {
      await using log = await openOwnLog({ key, treeDir })
      await log.append(5)
      await log.integrate()
    }
    await using log = await openOwnLog({ key, treeDir })
    await log.guard.compareWithTree()
    await expect(log.append(1)).rejects.toMatchObject({ code: 'log.behind-witnesses' })
  })
})
