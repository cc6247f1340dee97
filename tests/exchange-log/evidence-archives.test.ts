/** Archives of evidence that somebody made to harm whoever verifies them, or to be believed. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { EvidenceErrorCode } from '../../exchange-log/evidence/evidence-errors.ts'
import { verifyEvidence, type Trust } from '../../exchange-log/evidence/verify.ts'
import { parseCertificates } from '../../pki/certificate.ts'
import { filesOf, pack, resummed } from '../judges/evidence-archive.ts'
import { altered, directoryOf, inserted, placesOf, renamed } from './zip-bytes.ts'

const SEED = join(import.meta.dirname, '..', 'fuzz', 'seeds', 'evidence.zip')

let folder: string
let zip: Buffer
let files: Map<string, Buffer>
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'spean-archives-'))
  zip = readFileSync(SEED)
  files = await filesOf(zip)
  zip = await pack(files)
})
afterAll(() => rmSync(folder, { recursive: true }))

async function verdictOf(archive: Buffer, trust: Trust = {}): Promise<string> {
  const file = join(folder, 'evidence.zip')
  writeFileSync(file, archive)
  const { verdict, checks } = await verifyEvidence(file, trust)
  expect(readdirSync(folder)).toEqual(['evidence.zip'])
  return checks.at(-1)?.code ?? verdict
}

const headerOf = (copy: Buffer, name: string): number => placesOf(copy, name).central

describe('evidence', () => {
  it('is verified as it was made', async () => {
    expect(await verdictOf(readFileSync(SEED))).toBe('verified')
    expect(await verdictOf(zip)).toBe('verified')
  })

  const archives: [string, EvidenceErrorCode, (good: Buffer) => Buffer][] = [
    ['is no ZIP', 'evidence.not-an-archive', () => Buffer.from('not a zip')],
    ['is empty', 'evidence.not-an-archive', () => Buffer.alloc(0)],
    ['ends early', 'evidence.not-an-archive', (good) => good.subarray(0, good.length - 30)],
    [
      'has a path that leads out',
      'evidence.entry-refused',
      (good) => renamed(good, 'policy', '../pol'),
    ],
    ['has an absolute path', 'evidence.entry-refused', (good) => renamed(good, 'policy', '/polic')],
    [
      'has a path of another system',
      'evidence.entry-refused',
      (good) => renamed(good, 'policy', 'a\\b\\cd'),
    ],
    ['has a folder', 'evidence.entry-refused', (good) => renamed(good, 'policy', 'polic/')],
    ['has a file of its own', 'evidence.file-extra', (good) => renamed(good, 'policy', 'json.p')],
    [
      'has an entry twice',
      'evidence.entry-refused',
      (good) => renamed(good, 'response/salt', 'request/salt\0').subarray(0),
    ],
    [
      'has a link',
      'evidence.entry-refused',
      (good) =>
        altered(good, (copy) => {
          copy.writeUInt32LE((0o120777 << 16) >>> 0, headerOf(copy, 'policy') + 38)
        }),
    ],
    [
      'has a device',
      'evidence.entry-refused',
      (good) =>
        altered(good, (copy) => {
          copy.writeUInt32LE((0o020666 << 16) >>> 0, headerOf(copy, 'policy') + 38)
        }),
    ],
    [
      'says that an entry is compressed',
      'evidence.entry-refused',
      (good) => altered(good, (copy) => copy.writeUInt16LE(8, headerOf(copy, 'policy') + 10)),
    ],
    [
      'says that an entry is encrypted',
      'evidence.not-an-archive',
      (good) => altered(good, (copy) => copy.writeUInt16LE(1, headerOf(copy, 'policy') + 8)),
    ],
    [
      'has a small file of 4 GB',
      'evidence.too-large',
      (good) =>
        altered(good, (copy) => {
          copy.writeUInt32LE(0xfffffffe, headerOf(copy, 'policy') + 20)
          copy.writeUInt32LE(0xfffffffe, headerOf(copy, 'policy') + 24)
        }),
    ],
    [
      'has a body that is longer than the file',
      'evidence.not-an-archive',
      (good) =>
        altered(good, (copy) => {
          copy.writeUInt32LE(0xfffffffe, headerOf(copy, 'request/body') + 20)
          copy.writeUInt32LE(0xfffffffe, headerOf(copy, 'request/body') + 24)
        }),
    ],
    [
      'has entries that share their bytes',
      'evidence.entry-refused',
      (good) =>
        altered(good, (copy) => {
          const other = placesOf(copy, 'checkpoint').local
          copy.writeUInt32LE(other, headerOf(copy, 'policy') + 42)
        }),
    ],
    [
      'has a program in front',
      'evidence.entry-refused',
      (good) => inserted(good, 0, Buffer.from('#!/bin/sh\nexit\n')),
    ],
    [
      'has something hidden behind its entries',
      'evidence.not-an-archive',
      (good) => inserted(good, directoryOf(good), Buffer.alloc(1000, 0x41)),
    ],
    [
      'has something hidden in its comment',
      'evidence.not-an-archive',
      (good) => {
        const copy = Buffer.concat([good, Buffer.alloc(1000, 0x41)])
        copy.writeUInt16LE(1000, good.length - 2)
        return copy
      },
    ],
    [
      'is called otherwise by its entry itself',
      'evidence.entry-refused',
      (good) =>
        altered(good, (copy) => {
          copy.write('polity', placesOf(copy, 'policy').local + 30, 'latin1')
        }),
    ],
    [
      'has a checksum that does not fit',
      'evidence.sums-wrong',
      (good) => altered(good, (copy) => copy.writeUInt32LE(1, headerOf(copy, 'policy') + 16)),
    ],
  ]
  it.each(archives)('that %s is %s', async (_, code, make) => {
    expect(await verdictOf(make(zip))).toBe(code)
  })

  it('with a body that expands is refused before it is read', async () => {
    const bomb = deflateRawSync(Buffer.alloc(10_000_000))
    const packed = await pack(new Map([...files, ['request/body', bomb]]))
    const says = altered(packed, (copy) => {
      copy.writeUInt16LE(8, headerOf(copy, 'request/body') + 10)
      copy.writeUInt32LE(10_000_000, headerOf(copy, 'request/body') + 24)
    })
    expect(await verdictOf(says)).toBe('evidence.entry-refused')
  })

  it('with an archive in place of a body is not what was signed', async () => {
    const nested = resummed(new Map([...files, ['request/body', zip]]))
    expect(await verdictOf(await pack(nested))).toBe('evidence.message-altered')
  })
})

describe('trust', () => {
  const roots = () =>
    [...files].flatMap(([name, pem]) =>
      name.endsWith('.pem') ? parseCertificates(pem.toString()).slice(-1) : [],
    )
  const policy = () => files.get('policy')!.toString()

  it('that is given decides, and is not taken from the archive', async () => {
    expect(await verdictOf(zip, { anchors: roots(), policy: policy() })).toBe('verified')
    const leaves = parseCertificates(files.get('certificates/time-stamp.pem')!.toString())
    expect(await verdictOf(zip, { anchors: leaves.slice(0, 1) })).toBe('evidence.anchor-unknown')
    const other = policy().replace(/^log .*$/m, '')
    expect(await verdictOf(zip, { policy: other })).toBe('evidence.policy-unknown')
  })

  it('that is not given is said to come from the archive', async () => {
    const file = join(folder, 'evidence.zip')
    writeFileSync(file, zip)
    const taken = await verifyEvidence(file)
    expect(taken.unpinned).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^root .*, SHA-256 [0-9a-f]{64}$/),
        expect.stringMatching(/^log spean\/.*\+[0-9a-f]{8}\+/),
      ]) as string[],
    )
    const given = await verifyEvidence(file, { anchors: roots(), policy: policy() })
    expect(given.unpinned).toEqual([])
  })

  it('in a chain with a foreign authority in it, under the right root, does not stand', async () => {
    const chain = parseCertificates(files.get('certificates/time-stamp.pem')!.toString())
    const signer = parseCertificates(files.get('certificates/request-signer.pem')!.toString())
    const mixed = [chain[0]!, signer[0]!, chain.at(-1)!].map(({ pem }) => pem).join('')
    const forged = resummed(
      new Map([...files, ['certificates/time-stamp.pem', Buffer.from(mixed)]]),
    )
    expect(await verdictOf(await pack(forged))).toBe('evidence.certificate-untrusted')
  })
})
