import { existsSync, readFileSync } from 'node:fs'
import { openKeyFile, readPassphrase } from '../../pki/keys.ts'
import { parseCheckpoint } from '../../protocol/checkpoint.ts'
import {
  NOTE_TYPE,
  NoteError,
  noteVerifier,
  parseVkey,
  type NoteVerifier,
} from '../../protocol/signed-note.ts'
import { parsePolicy, type TlogPolicy } from '../../protocol/tlog-policy.ts'
import { ConfigError } from '../../runtime/config.ts'
import type { LogSource } from './source.ts'

/** The key that checkpoints must be signed with, and where it is from. */
export interface FoundLogKey {
  readonly verifier: NoteVerifier
  readonly from: 'given' | 'policy' | 'folder'
}

/**
 * The key of a log: the given one; else the one that the policy has for its origin; else the log's own key file,
 * which whoever wrote the log anew could have replaced.
 *
 * @param given a verifier key, or a file with one.
 * @throws ConfigError when there is none.
 */
export async function findLogKey(
  source: Pick<LogSource, 'tree'>,
  options: {
    readonly given?: string | undefined
    readonly policy?: TlogPolicy | undefined
    readonly keyFile?: string | undefined
  },
): Promise<FoundLogKey> {
  const { given, policy, keyFile } = options
  if (given !== undefined) {
    const text = existsSync(given) ? readFileSync(given, 'utf8').trim() : given
    return { verifier: asConfig(given, () => parseVkey(text)), from: 'given' }
  }
  const origin = await originOf(source)
  const listed = policy?.logs.find(({ verifier }) => verifier.name === origin)
  if (listed !== undefined) return { verifier: listed.verifier, from: 'policy' }
  if (keyFile !== undefined && existsSync(keyFile) && origin !== undefined) {
    const passphrase = readPassphrase({ env: 'SPEAN_GATEWAY_PASSPHRASE' })
    const { publicKey } = openKeyFile(keyFile, { passphrase })
    const make = () => noteVerifier(origin, publicKey, NOTE_TYPE.ed25519)
    return { verifier: asConfig(keyFile, make), from: 'folder' }
  }
  throw new ConfigError(
    'the key of the log is not known: give --log-key, or a --policy that has it',
  )
}

async function originOf({ tree }: Pick<LogSource, 'tree'>): Promise<string | undefined> {
  const head = await tree.head()
  try {
    return head && parseCheckpoint(head.note).origin
  } catch (error) {
    if (error instanceof NoteError) return undefined
    throw error
  }
}

/** @throws ConfigError */
export function readPolicyFile(file: string): TlogPolicy {
  return asConfig(file, () => parsePolicy(readFileSync(file, 'utf8')))
}

/** What the user gave has a fault. @throws ConfigError naming it. */
export function asConfig<T>(what: string, read: () => T): T {
  try {
    return read()
  } catch (cause) {
    if (cause instanceof NoteError) throw new ConfigError(`${what}: ${cause.message}`, { cause })
    const { code } = cause as NodeJS.ErrnoException
    if (code === undefined) throw cause
    throw new ConfigError(`${what}: cannot be read (${code})`, { cause })
  }
}
