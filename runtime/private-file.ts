import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { ConfigError } from './config.ts'

/** Replaces `file` as a whole: a reader, or a start after a crash, sees the old or the new content. */
export function writeFileAtomically(
  file: string,
  content: string | Uint8Array,
  mode = 0o644,
): void {
  mkdirSync(dirname(file), { recursive: true })
  const temporary = `${file}.new`
  writeFileSync(temporary, content, { mode, flush: true })
  chmodSync(temporary, mode) // writeFileSync's mode does not apply to a file left by an earlier crash
  renameSync(temporary, file)
}

/** Writes a key or a token so that only its owner can read it. */
export function writePrivateFile(file: string, content: string | Uint8Array): void {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  writeFileAtomically(file, content, 0o600)
}

/** As writePrivateFile; when it returns, no power cut takes the file away again. */
export function writePrivateFileDurably(file: string, content: string | Uint8Array): void {
  writePrivateFile(file, content)
  const folder = openSync(dirname(file), 'r')
  try {
    fsyncSync(folder) // the rename is in the folder, not in the file
  } finally {
    closeSync(folder)
  }
}

/**
 * Reads a key or a token.
 *
 * @throws ConfigError when it is missing, or others than its owner can read it.
 */
export function readPrivateFile(file: string): string {
  let mode: number
  try {
    mode = statSync(file).mode
  } catch (cause) {
    throw new ConfigError(`${file}: cannot be read (${(cause as NodeJS.ErrnoException).code})`, {
      cause,
    })
  }
  if ((mode & 0o077) !== 0) {
    throw new ConfigError(`${file}: is readable by others than its owner; run: chmod 600 ${file}`)
  }
  return readFileSync(file, 'utf8')
}

/**
 * Makes `file`, if it is not there, for its owner alone; a database in it keeps that for its other files.
 *
 * @throws ConfigError
 */
export function touchPrivate(file: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
    closeSync(openSync(file, 'a', 0o600))
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new ConfigError(`${file}: cannot be made or written (${code})`, { cause })
  }
}

/** The bearer token kept in `file`, made at first start: 256 random bits. */
export function ensureToken(file: string): string {
  if (!existsSync(file)) writePrivateFile(file, `${randomBytes(32).toString('base64url')}\n`)
  return readPrivateFile(file).trim()
}
