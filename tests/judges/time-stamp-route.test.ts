/** openssl asks the authority for a time-stamp over HTTP, and verifies it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, it, onTestFinished } from 'vitest'
import { startAuthority } from '../../pki/authority/server.ts'
import { openssl, temporaryFolder } from '../pki/support.ts'
import { authorityConfig } from '../support/authority.ts'

it('the authority stamps over HTTP, and its journal has what it refused', async () => {
  const folder = temporaryFolder()
  const file = (name: string): string => join(folder, name)
  const config = authorityConfig({ stateDir: file('state') })
  const running = await startAuthority(config, { logger: pino({ level: 'silent' }) })
  onTestFinished(() => running[Symbol.asyncDispose]())
  const { authority, publicUrl } = running
  writeFileSync(file('data'), 'what was said')
  writeFileSync(file('root.pem'), authority.root.pem)
  writeFileSync(file('signing.pem'), authority.issuers.signing.pem)
  await openssl('ts', '-query', '-data', file('data'), '-sha512', '-cert', '-out', file('query'))
  const ask = async (body: Uint8Array) => {
    const headers = { 'content-type': 'application/timestamp-query' }
    return fetch(`${publicUrl}/tsp`, { method: 'POST', headers, body: new Uint8Array(body) })
  }
  const answer = await ask(readFileSync(file('query')))
  expect(answer.headers.get('content-type')).toBe('application/timestamp-reply')
  writeFileSync(file('reply'), Buffer.from(await answer.arrayBuffer()))
  const verified = await openssl(
    ['ts', '-verify', '-queryfile', file('query'), '-in', file('reply')],
    ['-CAfile', file('root.pem'), '-untrusted', file('signing.pem')],
  )
  expect(verified.output).toContain('Verification: OK')

  const query = readFileSync(file('query'))
  for (const bytes of [query.subarray(0, 20), Buffer.concat([query, Buffer.of(0)])]) {
    expect((await ask(bytes)).status).toBe(200)
  }
  const refused = authority.journal.list(0, 100).filter(({ subject }) => subject === 'tsp')
  expect(refused.map(({ code }) => code)).toEqual(['encoding.truncated', 'encoding.trailing-bytes'])
  expect(refused[0]!.detail).toMatch(/^badDataFormat: /)
})
