import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readGatewayConfig, type GatewayConfig } from '../../gateway/config.ts'
import { ConfigError } from '../../runtime/config.ts'
import { temporaryFolder } from '../pki/support.ts'

const URI = 'pkcs11:object=signing?module-path=/usr/lib/lib.so'

function read(keys: { signing: string; authentication: string }): GatewayConfig {
  const file = join(temporaryFolder(), 'gateway.json')
  const config = {
    gatewayId: 'KH-TEST/GOV/MOI/MOI-1',
    stateDir: 'state',
    anchorFile: 'anchor.json',
    keyPassphraseFile: 'passphrase',
    authentication: { keyFile: keys.authentication, certificateFile: 'a.pem' },
    signing: [{ member: 'KH-TEST/GOV/MOI', keyFile: keys.signing, certificateFile: 's.pem' }],
  }
  writeFileSync(file, JSON.stringify(config))
  return readGatewayConfig(file)
}

it('takes a signing key in a token as it is written, and paths beside the file', () => {
  const { signing, authentication, keyPassphraseFile } = read({
    signing: URI,
    authentication: 'a.key',
  })
  expect(signing[0]!.keyFile).toBe(URI)
  expect(authentication.keyFile).toMatch(/^\/.*\/a\.key$/)
  expect(keyPassphraseFile).toMatch(/^\/.*\/passphrase$/)
})

it('refuses a TLS key in a token', () => {
  expect(() => read({ signing: 's.key', authentication: URI })).toThrow(ConfigError)
})
