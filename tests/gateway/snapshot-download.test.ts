import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import {
  createSnapshotDownload,
  type SnapshotDownload,
} from '../../gateway/catalogue/snapshot-download.ts'
import {
  fromPlainSnapshot,
  PLAIN_SNAPSHOT_TYPE,
  toPlainSnapshot,
} from '../../protocol/snapshot-form.ts'
import { compressDcz, compressZstd } from '../../runtime/dictionary-zstd.ts'
import { temporaryFolder } from '../pki/support.ts'
import { codeOf, readVectors } from '../protocol/support.ts'

interface Vector {
  readonly comment: string
  readonly base: string
  readonly coded: string
  readonly jws?: string
  readonly code?: string
  readonly availableDictionary?: string
}
const vectors = readVectors<Vector[]>('snapshot-delta')
const [{ base, jws: next = '' } = { base: '' }] = vectors
const TYPE = { 'content-type': PLAIN_SNAPSHOT_TYPE }
const DCZ = { ...TYPE, 'content-encoding': 'dcz' }

let file: string
let download: SnapshotDownload
const have = (jws: string): void => {
  writeFileSync(file, jws)
  download.keep(jws)
}
const read = (headers: Record<string, string>, bytes: Buffer): Promise<string | undefined> =>
  download.read(headers, bytes).catch(codeOf)
beforeEach(() => {
  file = join(temporaryFolder(), 'snapshot.jws')
  download = createSnapshotDownload(file)
})

describe('a snapshot that is told from another', () => {
  it.each(vectors)('$comment', async ({ jws, code, coded, availableDictionary, ...vector }) => {
    have(vector.base)
    if (availableDictionary !== undefined) {
      expect(download.headers()['available-dictionary']).toBe(availableDictionary)
    }
    expect(await read(DCZ, Buffer.from(coded, 'base64'))).toBe(jws ?? code)
  })

  it('is asked for whole after one that was not accepted, until another is', async () => {
    have(base)
    const coded = await compressDcz(toPlainSnapshot(next), toPlainSnapshot(base))
    expect(await read(DCZ, coded)).toBe(next)
    // Its signature was refused, say.
    expect(download.headers()).toEqual({
      accept: `${PLAIN_SNAPSHOT_TYPE}, application/jose;q=0.5`,
      'accept-encoding': 'zstd',
    })
    expect(await read(TYPE, toPlainSnapshot(next))).toBe(next)
    have(next)
    expect(download.headers()).toMatchObject({ 'accept-encoding': 'dcz, zstd' })
  })

  it('is refused when the file is not the one that was accepted, or is gone', async () => {
    have(base)
    const coded = await compressDcz(toPlainSnapshot(next), toPlainSnapshot(base))
    writeFileSync(file, next)
    expect(await read(DCZ, coded)).toBe('catalogue.unavailable')
    writeFileSync(file, '')
    expect(await read(DCZ, coded)).toBe('catalogue.unavailable')
  })

  it('comes back letter by letter, whatever is in it', async () => {
    const part = fc.uint8Array({ minLength: 1, maxLength: 200 })
    const encoded = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url')
    const jws = fc.tuple(part, part, part).map((parts) => parts.map(encoded).join('.'))
    await fc.assert(
      fc.asyncProperty(jws, jws, async (before, after) => {
        fc.pre(before !== after)
        have(before)
        expect(fromPlainSnapshot(toPlainSnapshot(after))).toBe(after)
        const coded = await compressDcz(toPlainSnapshot(after), toPlainSnapshot(before))
        expect(await read(DCZ, coded)).toBe(after)
      }),
      { numRuns: 50 },
    )
  })

  it('is none when it is the one that we have', async () => {
    have(base)
    const plain = toPlainSnapshot(base)
    expect(await read(DCZ, await compressDcz(plain, plain))).toBeUndefined()
    expect(await read(TYPE, plain)).toBeUndefined()
    expect(download.headers()).toMatchObject({ 'accept-encoding': 'dcz, zstd' })
  })

  it('is whole again when the one that we have counts no longer', async () => {
    have(base)
    download.drop()
    expect(download.headers()).not.toHaveProperty('available-dictionary')
    expect(await read(TYPE, toPlainSnapshot(base))).toBe(base)
  })

  it('is undone by the zstd program too', async () => {
    const [before, after] = [join(temporaryFolder(), 'base'), join(temporaryFolder(), 'dcz')]
    writeFileSync(before, toPlainSnapshot(base))
    writeFileSync(after, await compressDcz(toPlainSnapshot(next), toPlainSnapshot(base)))
    const undone = execFileSync('zstd', ['-d', '-q', '-c', '-D', before, after])
    expect(fromPlainSnapshot(undone)).toBe(next)
  })
})

describe('a whole snapshot', () => {
  it('has one spelling: no bit of a letter is passed over', async () => {
    const altered = Buffer.from(next)
    altered[0]! |= 0x80
    expect(await read({}, altered)).not.toBe(next)
  })

  it('is read in every form that a catalogue sends', async () => {
    const plain = toPlainSnapshot(next)
    expect(await read({ 'content-type': 'application/jose' }, Buffer.from(next))).toBe(next)
    expect(await read({}, Buffer.from(next))).toBe(next)
    expect(await read(TYPE, plain)).toBe(next)
    expect(await read({ ...TYPE, 'content-encoding': 'zstd' }, await compressZstd(plain))).toBe(
      next,
    )
  })

  it('is refused in a coding that nobody asked for', async () => {
    const gzip = { ...TYPE, 'content-encoding': 'gzip' }
    expect(await read(gzip, toPlainSnapshot(next))).toBe('catalogue.unavailable')
  })

  it('is not unpacked when it is too long, nor taken when only its compact form is', async () => {
    const zstd = { ...TYPE, 'content-encoding': 'zstd' }
    const bomb = await compressZstd(Buffer.alloc(67_108_865))
    expect(await read(zstd, bomb)).toBe('catalogue.unavailable')
    const line = Buffer.from('aa..bb\n')
    const almost = await compressZstd(Buffer.concat([line, Buffer.alloc(52_000_000)]))
    expect(await read(zstd, almost)).toBe('catalogue.unavailable')
  })
})
