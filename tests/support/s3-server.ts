import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { S3Config } from '../../exchange-log/archive/s3-config.ts'
import { freePort, isFree } from './http.ts'
import { judge } from './programs.ts'

/** A server of the S3 protocol that is not ours, in a process of its own. It verifies signatures. */
export interface S3Server extends AsyncDisposable {
  readonly config: S3Config
  /** File of an object. */
  fileOf(key: string): string
  /** Keys of all objects. */
  keys(): string[]
  /** Parts of objects that are not complete. */
  parts(): number
  kill(): Promise<void>
  start(): Promise<void>
}

const BUCKET = 'archives'
const OBJECT = '._S3rver_object'
// The package has no program of its own, only what one would call.
const CLI = createRequire(import.meta.url).resolve('@20minutes/s3rver/lib/cli.js')
const PROGRAM = `require(${JSON.stringify(CLI)}).parseAsync()`

export async function startS3Server(): Promise<S3Server> {
  const folder = mkdtempSync(join(tmpdir(), 'spean-s3-'))
  const data = join(folder, 'data')
  mkdirSync(data)
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const { exitCode, output } = await judge('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-noenc'],
    ...['-subj', '/CN=store', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '2'],
    ...['-keyout', key, '-out', cert],
  ])
  if (exitCode !== 0) throw new TypeError(output)
  const port = await freePort()
  const config = {
    ...{ endpoint: `https://127.0.0.1:${port}`, bucket: BUCKET, region: 'us-east-1' },
    ...{ prefix: 'gateway/', credentialsFile: join(folder, 'credentials'), caFile: cert },
  }
  writeCredentials(config, 'S3RVER')

  let stop = async (): Promise<void> => undefined
  const start = async (): Promise<void> => {
    const args = ['-d', data, '-a', '127.0.0.1', '-p', `${port}`, '--key', key, '--cert', cert]
    const child = spawn(
      process.execPath,
      ['-e', PROGRAM, 's3rver', ...args, '--configure-bucket', BUCKET],
      { stdio: 'ignore' },
    )
    const ended = once(child, 'close')
    stop = async () => {
      child.kill('SIGKILL')
      await ended
    }
    while (await isFree(port)) {
      if (child.exitCode !== null) throw new TypeError('the S3 server ended at its start')
      await new Promise((done) => setTimeout(done, 20))
    }
  }
  await start()
  const names = (): string[] => readdirSync(data, { recursive: true, encoding: 'utf8' })
  return {
    ...{ config, start },
    fileOf: (object) => join(data, BUCKET, `${object}${OBJECT}`),
    keys: () =>
      names()
        .filter((name) => name.endsWith(OBJECT))
        .map((name) => name.slice(BUCKET.length + 1, -OBJECT.length)),
    parts: () => names().filter((name) => /uploads\/[^/]+\/\d+$/.test(name)).length,
    kill: () => stop(),
    [Symbol.asyncDispose]: async () => {
      await stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export function writeCredentials({ credentialsFile }: S3Config, secret: string): void {
  const text = `[default]\naws_access_key_id = S3RVER\naws_secret_access_key = ${secret}\n`
  writeFileSync(credentialsFile, text, { mode: 0o600 })
}
