import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../runtime/config.ts'
import { readPrivateFile, writePrivateFile } from '../runtime/private-file.ts'

const TOKEN_BYTES = 32

/**
 * The token in `stateDir/admin.token`, which is made at the first start.
 *
 * @throws ConfigError when others can read it, or it is no such token.
 */
export function ensureAdminToken(stateDir: string): string {
  const file = join(stateDir, 'admin.token')
  if (!existsSync(file)) {
    writePrivateFile(file, `${randomBytes(TOKEN_BYTES).toString('base64url')}\n`)
  }
  const token = readPrivateFile(file).trim()
  // A file cut short must not become a password that can be guessed
  if (!/^[\w-]{32,}$/.test(token)) {
    throw new ConfigError(`${file}: holds no token; remove it, and the next start makes one`)
  }
  return token
}
