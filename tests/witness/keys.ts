import { generateKeyPairSync } from 'node:crypto'
import { NOTE_TYPE, noteVerifier, type NoteType } from '../../protocol/signed-note.ts'
import { createLogger } from '../../runtime/logger.ts'
import type { WitnessKey } from '../../witness/witness.ts'

export const logger = createLogger('test', 'silent')

export function createKey(name: string, type: NoteType = NOTE_TYPE.cosignature): WitnessKey {
  const { privateKey } = generateKeyPairSync('ed25519')
  return { verifier: noteVerifier(name, privateKey, type), privateKey }
}
