import { generateKeyPairSync } from 'node:crypto'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { verifyLogKey } from '../../exchange-log/log-key-check.ts'
import { openSqliteTreeStore } from '../../exchange-log/tree-store-sqlite.ts'
import { checkpointText } from '../../protocol/checkpoint.ts'
import { formatNote, NOTE_TYPE, noteVerifier, signNote } from '../../protocol/signed-note.ts'
import { NOW, temporaryFolder } from '../pki/support.ts'

const newKey = (name: string) => {
  const { privateKey } = generateKeyPairSync('ed25519')
  return { privateKey, verifier: noteVerifier(name, privateKey, NOTE_TYPE.ed25519) }
}

it('a tree goes on with the key that signed its newest checkpoint, and with no other', async () => {
  await using tree = openSqliteTreeStore(join(temporaryFolder(), 'log-tree.db'))
  const { privateKey, verifier } = newKey('spean/KH/GOV/A/1/log')
  const another = newKey('spean/KH/GOV/A/1/log').verifier
  await verifyLogKey(tree, another) // there is no checkpoint yet
  const rootHash = Buffer.alloc(32, 1)
  const text = checkpointText({ origin: verifier.name, size: 1, rootHash })
  const note = formatNote(text, [signNote(text, verifier, privateKey)])
  await tree.advance(0, [], { size: 1, rootHash, note, at: NOW, cosignatures: [] })
  await verifyLogKey(tree, verifier)
  const refused = { name: 'ConfigError' }
  await expect(verifyLogKey(tree, another)).rejects.toMatchObject(refused)
  const second = noteVerifier('spean/KH/GOV/A/1/log2', privateKey, NOTE_TYPE.ed25519)
  await expect(verifyLogKey(tree, second)).rejects.toMatchObject(refused)
})

it('a tree whose newest checkpoint was altered is not gone on with', async () => {
  await using tree = openSqliteTreeStore(join(temporaryFolder(), 'log-tree.db'))
  const { privateKey, verifier } = newKey('spean/KH/GOV/A/1/log')
  const rootHash = Buffer.alloc(32, 1)
  const text = checkpointText({ origin: verifier.name, size: 1, rootHash })
  const signature = signNote(text, verifier, privateKey)
  const altered = formatNote(text.replace('\n1\n', '\n2\n'), [signature])
  await tree.advance(0, [], { size: 2, rootHash, note: altered, at: NOW, cosignatures: [] })
  await expect(verifyLogKey(tree, verifier)).rejects.toMatchObject({ name: 'ConfigError' })
})
