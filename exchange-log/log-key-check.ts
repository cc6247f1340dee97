import { parseCheckpoint } from '../protocol/checkpoint.ts'
import { NoteError, verifyNote, type NoteVerifier } from '../protocol/signed-note.ts'
import { ConfigError } from '../runtime/config.ts'
import type { TreeStore } from './tree-store.ts'

/**
 * Makes sure that a tree is of the log whose key is at hand: a gateway with another key, or a replica that made its
 * own, would go on with a tree that nobody can follow.
 *
 * @throws ConfigError when the newest checkpoint is of another origin or key.
 */
export async function verifyLogKey(
  tree: Pick<TreeStore, 'head'>,
  verifier: NoteVerifier,
): Promise<void> {
  const head = await tree.head()
  if (head === undefined) return
  try {
    const { origin, note } = parseCheckpoint(head.note)
    if (origin !== verifier.name) throw new NoteError(`it is of ${origin}`)
    verifyNote(note, [verifier])
  } catch (cause) {
    if (!(cause instanceof NoteError)) throw cause
    throw new ConfigError(
      `the newest checkpoint of the exchange log is not by the key of ${verifier.name} (${cause.message}); ` +
        'bring its key back from a copy; replicas share one, by exchangeLog.signingKeyFile; ' +
        'when it is lost for good, begin the next log (docs/witnesses.md)',
      { cause },
    )
  }
}
