import { ConfigError } from '../runtime/config.ts'
import { readPrivateFile } from '../runtime/private-file.ts'

const LOCAL = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|%2f.*|)$/i

/**
 * The URL of a database, which holds a password: `postgres://USER:PASSWORD@HOST:PORT/NAME?sslmode=verify-full`.
 *
 * @throws ConfigError when the file is missing, readable by others, or holds something else; also for a database
 * on another machine when the URL does not say how the connection is secured.
 */
export function readPostgresUrl(file: string): string {
  const text = readPrivateFile(file).trim()
  const url = URL.parse(text)
  if (url === null || !/^postgres(ql)?:$/.test(url.protocol) || url.pathname.length < 2) {
    throw new ConfigError(`${file}: is to be a URL, postgres://USER:PASSWORD@HOST/NAME`)
  }
  const host = url.searchParams.get('host') ?? url.hostname
  const isLocal = host.startsWith('/') || LOCAL.test(host)
  if (!isLocal && !url.searchParams.has('sslmode')) {
    throw new ConfigError(
      `${file}: the database is on another machine; add ?sslmode=verify-full, and sslrootcert=FILE for an authority of your own`,
    )
  }
  return text
}
