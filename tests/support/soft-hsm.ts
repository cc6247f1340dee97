import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const MODULE = '/usr/lib/softhsm/libsofthsm2.so'
export const LABEL = 'Spean ស្ពាន'

export interface SoftHsm {
  readonly dir: string
  /** @param query what follows `module-path` in the URI. */
  uri(path: string, query?: string): string
  makeKey(type: 'EC:prime256v1' | 'EC:secp384r1' | 'rsa:2048', label: string, id: string): void
  /** Runs Debian's pkcs11-tool on the token, logged in. */
  tool(...args: string[]): string
  takeAway(): void
  bringBack(): void
  dispose(): void
}

/**
 * A token of SoftHSM in a folder of its own. One for each process: the library reads SOFTHSM2_CONF when it is
 * initialised, and a process initialises it once.
 */
export function createSoftHsm(): SoftHsm {
  const missing = [MODULE, '/usr/bin/softhsm2-util', '/usr/bin/pkcs11-tool'].filter(
    (file) => !existsSync(file),
  )
  if (missing.length > 0) {
    throw new TypeError(`${missing.join(', ')}: not installed; run: sh bin/test-tools`)
  }
  const dir = mkdtempSync(join(tmpdir(), 'spean-hsm-'))
  const tokens = join(dir, 'tokens')
  mkdirSync(tokens)
  const conf = join(dir, 'softhsm2.conf')
  writeFileSync(conf, `directories.tokendir = ${tokens}\nobjectstore.backend = file\n`)
  process.env['SOFTHSM2_CONF'] = conf
  writeFileSync(join(dir, 'pin'), '1234\n', { mode: 0o600 })
  const run = (program: string, ...args: string[]): string =>
    execFileSync(program, args, { encoding: 'utf8', stdio: 'pipe' })
  run(
    'softhsm2-util',
    '--init-token',
    '--free',
    '--label',
    LABEL,
    '--pin',
    '1234',
    '--so-pin',
    '5678',
  )
  const tool = (...args: string[]): string =>
    run(
      'pkcs11-tool',
      '--module',
      MODULE,
      '--token-label',
      LABEL,
      '--login',
      '--pin',
      '1234',
      ...args,
    )
  return {
    dir,
    tool,
    uri: (path, query = `pin-source=file:${dir}/pin`) =>
      `pkcs11:token=${encodeURIComponent(LABEL)};${path}?module-path=${MODULE}${query && `&${query}`}`,
    makeKey: (type, label, id) => {
      tool('--keypairgen', '--key-type', type, '--label', label, '--id', id)
    },
    takeAway: () => renameSync(tokens, `${tokens}.away`),
    bringBack: () => renameSync(`${tokens}.away`, tokens),
    dispose: () => rmSync(dir, { recursive: true, force: true }),
  }
}
