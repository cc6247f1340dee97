import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readPostgresUrl } from '../../exchange-log/postgres-url.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import { temporaryFolder } from '../pki/support.ts'

const fileOf = (content: string): string => {
  const file = join(temporaryFolder(), 'log.url')
  writePrivateFile(file, content)
  return file
}

it.each([
  'postgres://gateway@localhost/log',
  'postgresql://gateway:p%40ss@127.0.0.1:5433/log',
  'postgres://gateway@[::1]/log',
  'postgres://gateway@%2Frun%2Fpostgresql/log',
  'postgres://gateway@localhost/log?host=/run/postgresql',
  'postgres://gateway@db.example.gov/log?sslmode=verify-full&sslrootcert=/etc/ssl/db.pem',
])('takes %s', (url) => {
  expect(readPostgresUrl(fileOf(`${url}\n`))).toBe(url)
})

it.each([
  ['nothing', ''],
  ['another scheme', 'mysql://gateway@localhost/log'],
  ['a text', 'host=localhost dbname=log'],
  ['a URL without a database', 'postgres://gateway@localhost'],
  ['another machine without a word on TLS', 'postgres://gateway@db.example.gov/log'],
  ['a name that only begins like this machine', 'postgres://gateway@localhost.example.gov/log'],
  ['another machine as a parameter', 'postgres://gateway@localhost/log?host=db.example.gov'],
])('refuses %s', (_, content) => {
  expect(() => readPostgresUrl(fileOf(content))).toThrow(
    expect.objectContaining({ name: 'ConfigError' }),
  )
})

it('refuses a file that others can read: it holds a password', () => {
  const file = join(temporaryFolder(), 'log.url')
  writeFileSync(file, 'postgres://gateway:secret@localhost/log', { mode: 0o644 })
  expect(() => readPostgresUrl(file)).toThrow(expect.objectContaining({ name: 'ConfigError' }))
})
