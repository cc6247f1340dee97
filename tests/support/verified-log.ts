/** Verifies the log of a gateway from its files, as `spean log verify` does. */
import { openFolderSource } from '../../exchange-log/verify/folder-source.ts'
import { findLogKey } from '../../exchange-log/verify/log-key.ts'
import {
  verifyLog,
  type VerifyOptions,
  type VerifyResult,
} from '../../exchange-log/verify/verify-log.ts'
import type { NoteVerifier } from '../../protocol/signed-note.ts'

/** The key in the folder. */
export async function logKeyOf(folder: string): Promise<NoteVerifier> {
  await using source = openFolderSource(folder)
  return (await findLogKey(source, { keyFile: `${folder}/log.key` })).verifier
}

export async function verifyFolder(
  folder: string,
  logKey: NoteVerifier,
  options: Partial<VerifyOptions> = {},
): Promise<VerifyResult> {
  await using source = openFolderSource(folder)
  return await verifyLog(source, { logKey, all: true, ...options })
}
