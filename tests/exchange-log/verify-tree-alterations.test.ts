import { describe, expect, it } from 'vitest'
import { openLogStores } from '../../exchange-log/open-log.ts'
import { readForeignCheckpoint } from '../../exchange-log/verify/checkpoint-check.ts'
import { checkpointText, cosign } from '../../protocol/checkpoint.ts'
import { HASH_BYTES } from '../../protocol/merkle-tree.ts'
import {
  formatNote,
  formatSignatureLine,
  formatVkey,
  NOTE_TYPE,
  noteVerifier,
  signNote,
} from '../../protocol/signed-note.ts'
import { parsePolicy } from '../../protocol/tlog-policy.ts'
import { createTsa } from '../pki/tsp-support.ts'
import { logOfFile } from '../support/log-of-file.ts'
import { run, setLeaf, setTile, tileOf, type Change } from './tamper-support.ts'
import {
  copyOf,
  newLogKey,
  ORIGIN,
  stampAt,
  tamper,
  timeOf,
  told,
  verify,
  writeLog,
} from './verify-support.ts'

const { tsa, log: original } = await logOfFile([100, 400, 650, 700, 1500])

async function found(file: Parameters<typeof tamper>[1], change: Change): Promise<string[]> {
  const log = copyOf(original)
  tamper(log, file, change)
  return told(await verify(log, { all: true, anchors: [tsa.root] }))
}
const HASH = Buffer.alloc(HASH_BYTES, 0xee)

describe('a tile', () => {
  it.each([1, 256, 700, 1280, 1500])('with another leaf at %i is named', async (position) => {
    expect(await found('log-tree.db', (db) => setLeaf(db, position, HASH))).toEqual([
      `tile.altered ${position}`,
    ])
  })

  it('with another hash of a tile below it is named', async () => {
    const change: Change = (db) => {
      const hashes = tileOf(db, 1, 0)
      hashes.set(HASH, 2 * HASH_BYTES)
      setTile(db, 1, 0, hashes)
    }
    expect(await found('log-tree.db', change)).toEqual(['tile.altered 513-768'])
  })

  it('that was altered in two levels alike is named while the records are what was signed', async () => {
    const change: Change = (db) => {
      setLeaf(db, 300, HASH)
      const hashes = tileOf(db, 1, 0)
      hashes.set(HASH, HASH_BYTES)
      setTile(db, 1, 0, hashes)
    }
    expect(await found('log-tree.db', change)).toEqual(['tile.altered 257-512', 'tile.altered 300'])
  })

  it('that is gone, or was cut, is named, and the rest is verified without it', async () => {
    const gone = run('DELETE FROM tile WHERE level = 0 AND number = 1')
    expect(await found('log-tree.db', gone)).toEqual(['tile.missing 257-512'])
    const cut: Change = (db) => setTile(db, 0, 5, tileOf(db, 0, 5).subarray(0, 3200))
    expect(await found('log-tree.db', cut)).toEqual(['tile.missing 1281-1500'])
    const above = run('DELETE FROM tile WHERE level = 1')
    expect((await found('log-tree.db', above))[0]).toBe('tile.missing 1-256')
  })
})

describe('a checkpoint', () => {
  const note = (size: number, rootHash: Buffer, key = original.key, origin = ORIGIN): string => {
    const text = checkpointText({ origin, size, rootHash })
    return formatNote(text, [signNote(text, key.verifier, key.privateKey)])
  }
  const replace = (size: number, to: string, rootHash = HASH): Change =>
    run('UPDATE checkpoint SET note = ?, rootHash = ? WHERE size = ?', to, rootHash, size)

  it('of another tree that the log signed is a fork', async () => {
    expect(await found('log-tree.db', replace(400, note(400, HASH)))).toEqual([
      'checkpoint.forked 400',
    ])
  })

  it('of another tree at the end means that records were altered, as far as the log tells', async () => {
    expect(await found('log-tree.db', replace(1500, note(1500, HASH)))).toEqual([
      'record.altered 701-1500',
    ])
  })

  it('signed by another key, or as another log, is unsigned', async () => {
    const other = note(650, HASH, newLogKey())
    expect(await found('log-tree.db', replace(650, other))).toEqual(['checkpoint.unsigned 650'])
    const renamed = note(650, HASH, newLogKey('other.example/log'), 'other.example/log')
    expect(await found('log-tree.db', replace(650, renamed))).toEqual(['checkpoint.unsigned 650'])
  })

  it.each([
    ['text', (text: string) => text.replace('\n650\n', '\n651\n')],
    ['signature', (text: string) => text.replace(/.{6}(==)?\n$/, 'AAAAAA==\n')],
    ['form', () => 'nothing'],
  ])('with another %s is altered', async (_, change) => {
    const alter: Change = (db) => {
      const row = db.prepare('SELECT note, rootHash FROM checkpoint WHERE size = 650').get()!
      replace(650, change(row.note as string), row.rootHash as Buffer<ArrayBuffer>)(db)
    }
    expect(await found('log-tree.db', alter)).toEqual(['checkpoint.altered 650'])
  })

  it('with another root in its row than in its note is altered', async () => {
    const change = run('UPDATE checkpoint SET rootHash = ? WHERE size = 650', HASH)
    expect(await found('log-tree.db', change)).toEqual(['checkpoint.altered 650'])
  })

  it('that somebody else kept shows a log that was written anew', async () => {
    const rewritten = await writeLog([100, 400, 650, 700, 1500], tsa)
    const foreign = [readForeignCheckpoint(note(650, HASH), original.key.verifier)]
    expect(told(await verify(original, { foreign, all: true }))).toEqual(['checkpoint.forked 650'])
    rewritten[Symbol.dispose]()
  })

  it('is witnessed by the policy, unless a cosignature does not verify', async () => {
    const { privateKey } = newLogKey('w')
    const witness = noteVerifier('witness.example/w', privateKey, NOTE_TYPE.cosignature)
    const policy = parsePolicy(`witness w1 ${formatVkey(witness)}\nquorum w1`)
    const log = copyOf(original)
    {
      await using stores = await openLogStores({ stateDir: log.folder, maxBytes: 2 ** 32 })
      const { size, rootHash } = (await stores.tree.checkpoint(650))!
      const text = checkpointText({ origin: ORIGIN, size, rootHash })
      const line = formatSignatureLine(cosign(text, witness, privateKey, timeOf(0)))
      await stores.tree.addCosignatures(size, [line], timeOf(0))
    }
    const result = await verify(log, { policy, all: true })
    expect(told(result)).toEqual([])
    expect(result.witnessedUpTo).toBe(650)
    tamper(log, 'log-tree.db', run('UPDATE cosignature SET size = 700'))
    const moved = await verify(log, { policy, all: true })
    expect(told(moved)).toEqual(['cosignature.invalid 700'])
    expect(moved.witnessedUpTo).toBe(0)
  })
})

describe('a time-stamp', () => {
  it('that was moved to another tree is altered', async () => {
    const change = run('UPDATE stamp SET size = 650')
    expect(await found('time-stamps.db', change)).toEqual(['stamp.altered 650'])
  })

  it('with another time in its row is altered', async () => {
    const change = run('UPDATE stamp SET genTime = genTime - 60000')
    expect(await found('time-stamps.db', change)).toEqual(['stamp.altered 700'])
  })

  it('with any changed byte is found', async () => {
    for (const part of [0.2, 0.5, 0.98]) {
      const change: Change = (db) => {
        const token = Buffer.from(db.prepare('SELECT token FROM stamp').get()!.token as Uint8Array)
        token[Math.floor(token.length * part)]! ^= 1
        run('UPDATE stamp SET token = ?', token)(db)
      }
      const [first] = await found('time-stamps.db', change)
      expect(first).toMatch(/^stamp\.(altered|untrusted) 700$/)
    }
  })

  it('of another authority is untrusted', async () => {
    using other = await createTsa()
    const log = copyOf(original)
    {
      await using stores = await openLogStores({ stateDir: log.folder, maxBytes: 2 ** 32 })
      await stampAt(stores, 1500, other)
    }
    const result = await verify(log, { anchors: [tsa.root], all: true })
    expect(told(result)).toEqual(['stamp.untrusted 1500'])
    expect(told(await verify(log, { all: true }))).toEqual([])
  })

  it('over more than there is shows that records are missing', async () => {
    const change = run('UPDATE stamp SET size = 1600')
    expect(await found('time-stamps.db', change)).toEqual(['record.missing 1501-1600'])
  })
})

describe('content', () => {
  it('that was kept and is gone without an erasure is missing', async () => {
    const gone = run('DELETE FROM content WHERE owner = 77')
    expect(await found('exchange-log.db', gone)).toEqual(['content.missing 77'])
    const part = run('DELETE FROM content WHERE owner = 78 AND part = 1')
    expect(await found('exchange-log.db', part)).toEqual(['content.missing 78'])
    const key = run('DELETE FROM recordKey WHERE position = 79')
    expect(await found('exchange-log.db', key)).toEqual(['content.missing 79'])
  })
})

describe('the signature of a manifest', () => {
  it('cannot be verified without its certificate, nor with another one', async () => {
    for (const change of [
      run('DELETE FROM certificate'),
      run('UPDATE certificate SET der = ?', tsa.certificate.der),
    ]) {
      const log = copyOf(original)
      tamper(log, 'log-validation.db', change)
      const result = told(await verify(log, { all: true, signatures: true }))
      expect(result[0]).toBe('manifest.certificate-missing 1')
      expect(result).toHaveLength(1500)
    }
  })
})
