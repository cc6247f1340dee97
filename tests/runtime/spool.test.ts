import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { createSpool, EMPTY_BODY, SpoolError, type SpooledBody } from '../../runtime/spool.ts'

const LIMITS = { maxBytes: 10_000_000, idleMs: 5000, totalMs: 60_000 }
const MEMORY = 1000

function folder(): string {
  return mkdtempSync(join(tmpdir(), 'spool-'))
}
function spoolIn(
  dir: string,
): (stream: Readable, limits?: Partial<typeof LIMITS>) => Promise<SpooledBody> {
  const spool = createSpool({ dir, memoryBytes: MEMORY, maxStoredBytes: 20_000_000 })
  return (stream, limits) => spool.receive(stream, { ...LIMITS, ...limits })
}
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('base64url')
/** Files of `dir` that this process has open, named or not. */
const openFilesIn = (dir: string): number =>
  readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(dir)
    } catch {
      return false // the one that reads the list
    }
  }).length

describe('a body', () => {
  it.each([0, 1, MEMORY - 1, MEMORY])('of %d bytes stays in memory', async (size) => {
    const dir = folder()
    const bytes = randomBytes(size)
    await using body = await spoolIn(dir)(Readable.from(size === 0 ? [] : [bytes]))
    expect(body).toMatchObject({ size, digest: sha256(bytes), bytes })
    expect(await buffer(body.open())).toEqual(bytes)
    expect(openFilesIn(dir)).toBe(0)
  })

  it.each([MEMORY + 1, 65_536, 65_537, 300_000])(
    'of %d bytes goes to a file that no folder lists',
    async (size) => {
      const dir = folder()
      const bytes = randomBytes(size)
      await using body = await spoolIn(dir)(
        Readable.from([bytes.subarray(0, 600), bytes.subarray(600)]),
      )
      expect(body).toMatchObject({ size, digest: sha256(bytes), bytes: undefined })
      expect(readdirSync(dir)).toEqual([])
      expect(openFilesIn(dir)).toBe(1)
      expect(await buffer(body.open())).toEqual(bytes)
    },
  )

  it('leaves no open file behind', async () => {
    const dir = folder()
    const body = await spoolIn(dir)(Readable.from([randomBytes(5000)]))
    expect(openFilesIn(dir)).toBe(1)
    await body[Symbol.asyncDispose]()
    expect(openFilesIn(dir)).toBe(0)
  })

  it('of 5 MB passes byte for byte, in whatever pieces it comes', async () => {
    const bytes = randomBytes(5_000_000)
    const pieces = function* (): Generator<Buffer> {
      for (let at = 0, n = 1; at < bytes.length; at += n, n = (n * 7) % 99_991) {
        yield bytes.subarray(at, at + n)
      }
    }
    await using body = await spoolIn(folder())(Readable.from(pieces()))
    expect(body.digest).toBe(sha256(bytes))
    expect((await buffer(body.open())).equals(bytes)).toBe(true)
  })

  it.each([10, 200_000])('of %d bytes can be read twice, also at the same time', async (size) => {
    const bytes = randomBytes(size)
    await using body = await spoolIn(folder())(Readable.from([bytes]))
    const both = await Promise.all([buffer(body.open()), buffer(body.open())])
    expect(both.every((read) => read.equals(bytes))).toBe(true)
    expect((await buffer(body.open())).equals(bytes)).toBe(true)
  })

  it('that was received with others keeps to itself', async () => {
    const receive = spoolIn(folder())
    const sent = Array.from({ length: 20 }, (_, i) => randomBytes(i * 997))
    const bodies = await Promise.all(sent.map((bytes) => receive(Readable.from([bytes]))))
    for (const [i, body] of bodies.entries()) {
      expect((await buffer(body.open())).equals(sent[i]!)).toBe(true)
      await body[Symbol.asyncDispose]()
    }
  })

  it('that is empty has the digest of the protocol', async () => {
    expect(EMPTY_BODY.digest).toBe('47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU')
    expect(await buffer(EMPTY_BODY.open())).toHaveLength(0)
  })
})

describe('a body that cannot be received', () => {
  const failure = (received: Promise<unknown>): Promise<unknown> =>
    received.then(
      () => 'received',
      (error: unknown) => (error instanceof SpoolError ? error.failure : error),
    )

  it.each([MEMORY - 500, MEMORY * 5])('is too large beyond %d bytes', async (maxBytes) => {
    const dir = folder()
    const receive = spoolIn(dir)
    const exact = await receive(Readable.from([randomBytes(maxBytes)]), { maxBytes })
    expect(exact.size).toBe(maxBytes)
    await exact[Symbol.asyncDispose]()
    const over = Readable.from([randomBytes(maxBytes), randomBytes(1)])
    expect(await failure(receive(over, { maxBytes }))).toBe('too-large')
    expect(openFilesIn(dir)).toBe(0)
  })

  it('that is too large leaves its stream to its owner, who may still answer', async () => {
    const stream = new PassThrough()
    stream.write(randomBytes(2000))
    expect(await failure(spoolIn(folder())(stream, { maxBytes: 100 }))).toBe('too-large')
    expect(stream.destroyed).toBe(false)
  })

  it('is idle when nothing more comes, and closes its file', async () => {
    const dir = folder()
    const stream = new PassThrough()
    stream.write(randomBytes(5000))
    expect(await failure(spoolIn(dir)(stream, { idleMs: 30 }))).toBe('idle')
    expect(openFilesIn(dir)).toBe(0)
  })

  it('is not idle while a little comes at a time', async () => {
    const stream = new PassThrough()
    const timer = setInterval(() => stream.write('x'), 20)
    setTimeout(() => {
      clearInterval(timer)
      stream.end()
    }, 300)
    await using body = await spoolIn(folder())(stream, { idleMs: 150 })
    expect(body.size).toBeGreaterThan(3)
  })

  it.each([undefined, new TypeError('line broke')])(
    'is incomplete when it breaks off',
    async (why) => {
      const dir = folder()
      const stream = new PassThrough()
      stream.write(randomBytes(5000))
      setTimeout(() => stream.destroy(why), 20)
      expect(await failure(spoolIn(dir)(stream))).toBe('incomplete')
      expect(openFilesIn(dir)).toBe(0)
    },
  )

  it('is incomplete when it breaks off while what came is being stored', async () => {
    const stream = new PassThrough()
    const received = spoolIn(folder())(stream)
    stream.write(randomBytes(MEMORY + 1))
    await new Promise((done) => setImmediate(done))
    stream.destroy(new TypeError('reset'))
    await expect(failure(received)).resolves.toBe('incomplete')
  })

  it('is incomplete when it broke off before it was asked for', async () => {
    const stream = new PassThrough()
    stream.destroy()
    expect(await failure(spoolIn(folder())(stream))).toBe('incomplete')
  })

  it('is a fault of the storage when the folder is gone', async () => {
    const dir = folder()
    const receive = spoolIn(dir)
    rmSync(dir, { recursive: true })
    expect(await failure(receive(Readable.from([randomBytes(5000)])))).toBe('storage')
    await using small = await receive(Readable.from([randomBytes(5)]))
    expect(small.size).toBe(5)
  })

  it('is a fault of the storage when the folder has become a file', async () => {
    const dir = folder()
    const receive = spoolIn(dir)
    rmSync(dir, { recursive: true })
    writeFileSync(dir, '')
    expect(await failure(receive(Readable.from([randomBytes(5000)])))).toBe('storage')
  })
})
