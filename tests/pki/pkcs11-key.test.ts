import { constants, verify } from 'node:crypto'
import { createRequire } from 'node:module'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSigningKey } from '../../pki/keys.ts'
import { openModule } from '../../pki/pkcs11-module.ts'
import { KeyError, type SignatureScheme } from '../../pki/signing-key.ts'
import { ConfigError } from '../../runtime/config.ts'
import { createSoftHsm, type SoftHsm } from '../support/soft-hsm.ts'
import { openssl, temporaryFolder } from './support.ts'

const BYTES = Buffer.from('ការផ្លាស់ប្តូរ')
const RESTART_PAUSE_MS = 1_000

let hsm: SoftHsm
beforeAll(() => {
  hsm = createSoftHsm()
  hsm.makeKey('EC:prime256v1', 'P-256', '01')
  hsm.makeKey('EC:secp384r1', 'P-384', '02')
  hsm.makeKey('rsa:2048', 'RSA-2048', '03')
})
afterAll(() => hsm.dispose())

const open = (path: string) => openSigningKey(hsm.uri(path))

/** The error of a promise that must fail. */
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => expect.fail(`it gave ${String(value)}`),
    (error: unknown) => error,
  )

describe('a key in a token', () => {
  const schemes: [string, SignatureScheme][] = [
    ['P-256', { hash: 'sha256' }],
    ['P-256', { hash: 'sha256', ecdsaForm: 'jose' }],
    ['P-256', { hash: 'sha512' }],
    ['P-384', { hash: 'sha384' }],
    ['P-384', { hash: 'sha384', ecdsaForm: 'jose' }],
    ['P-384', { hash: 'sha256' }],
    ['RSA-2048', { hash: 'sha256' }],
    ['RSA-2048', { hash: 'sha384' }],
    ['RSA-2048', { hash: 'sha512' }],
    ['RSA-2048', { hash: 'sha256', padding: 'pss' }],
    ['RSA-2048', { hash: 'sha512', padding: 'pss' }],
  ]

  it.each(schemes)('%s signs by %j as node:crypto and openssl verify', async (label, scheme) => {
    await using key = await open(`object=${label}`)
    const signature = await key.sign(BYTES, scheme)
    const options = {
      key: key.publicKey,
      dsaEncoding: scheme.ecdsaForm === 'jose' ? ('ieee-p1363' as const) : ('der' as const),
      ...(scheme.padding === 'pss'
        ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
        : {}),
    }
    expect(verify(scheme.hash, BYTES, options, signature)).toBe(true)
    expect(verify(scheme.hash, Buffer.from('else'), options, signature)).toBe(false)
    if (scheme.ecdsaForm === 'jose') return // openssl reads DER only
    const folder = temporaryFolder()
    const file = (name: string, content: string | Buffer): string => {
      writeFileSync(join(folder, name), content)
      return join(folder, name)
    }
    const { output } = await openssl(
      ['dgst', `-${scheme.hash}`, '-signature', file('signature', signature)],
      ['-verify', file('key.pem', key.publicKey.export({ type: 'spki', format: 'pem' }))],
      scheme.padding === 'pss'
        ? ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest']
        : [],
      file('bytes', BYTES),
    )
    expect(output).toContain('Verified OK')
  })

  it('is found by its label, by its id, and by both', async () => {
    await using byLabel = await open('object=P-256')
    await using byId = await open('id=%01')
    await using byBoth = await open('object=P-256;id=%01;type=private')
    expect(byId.publicKey.equals(byLabel.publicKey)).toBe(true)
    expect(byBoth.publicKey.equals(byLabel.publicKey)).toBe(true)
    expect(await failureOf(open('object=P-256;id=%02'))).toBeInstanceOf(ConfigError)
  })

  it('signs 200 messages at a time, each its own', async () => {
    await using ec = await open('object=P-256')
    await using rsa = await open('object=RSA-2048')
    const messages = Array.from({ length: 200 }, (_, i) => Buffer.from(`message ${i}`))
    const signatures = await Promise.all(
      messages.flatMap((message) => [
        ec.sign(message, { hash: 'sha256' }),
        rsa.sign(message, { hash: 'sha256' }),
      ]),
    )
    messages.forEach((message, i) => {
      expect(verify('sha256', message, ec.publicKey, signatures[2 * i]!)).toBe(true)
      expect(verify('sha256', message, rsa.publicKey, signatures[2 * i + 1]!)).toBe(true)
    })
  })

  it('signs no more once it is closed, after what was under way', async () => {
    const key = await open('object=P-256')
    const under = Array.from({ length: 20 }, () => key.sign(BYTES, { hash: 'sha256' }))
    await key[Symbol.asyncDispose]()
    for (const signature of await Promise.all(under)) {
      expect(verify('sha256', BYTES, key.publicKey, signature)).toBe(true)
    }
    expect(await failureOf(key.sign(BYTES, { hash: 'sha256' }))).toBeInstanceOf(KeyError)
  })
})

describe('a token that goes away', () => {
  it('signs on when somebody closed its sessions, under load too', async () => {
    await using key = await open('object=P-256')
    const { api } = openModule('/usr/lib/softhsm/libsofthsm2.so')
    const all = api as typeof api & { C_CloseAllSessions(slot: Buffer): void }
    const signAll = () =>
      Promise.all(Array.from({ length: 50 }, () => key.sign(BYTES, { hash: 'sha256' })))
    for (let round = 0; round < 3; round += 1) {
      for (const slot of api.C_GetSlotList(true)) all.C_CloseAllSessions(slot)
      for (const signature of await signAll()) {
        expect(verify('sha256', BYTES, key.publicKey, signature)).toBe(true)
      }
    }
  })

  it('refuses while it is gone, naming key and token, and signs when it is back', async () => {
    await using key = await open('object=P-256')
    await using other = await open('object=RSA-2048')
    hsm.takeAway()
    try {
      const failures = await Promise.all(
        [key, other, key].map((k) => failureOf(k.sign(BYTES, { hash: 'sha256' }))),
      )
      for (const failure of failures) {
        expect(failure).toBeInstanceOf(KeyError)
        expect((failure as Error).message).toMatch(/"(P-256|RSA-2048)" in token "Spean ស្ពាន"/)
        expect((failure as Error).message).not.toContain('1234')
      }
    } finally {
      hsm.bringBack()
    }
    await sleep(RESTART_PAUSE_MS)
    const signatures = await Promise.all([key, other].map((k) => k.sign(BYTES, { hash: 'sha256' })))
    expect(verify('sha256', BYTES, key.publicKey, signatures[0]!)).toBe(true)
    expect(verify('sha256', BYTES, other.publicKey, signatures[1]!)).toBe(true)
  })

  it('refuses another key that took the place of the one it opened', async () => {
    hsm.makeKey('EC:prime256v1', 'replaced', '07')
    await using key = await open('object=replaced')
    hsm.tool('--delete-object', '--type', 'privkey', '--id', '07')
    hsm.tool('--delete-object', '--type', 'pubkey', '--id', '07')
    hsm.makeKey('EC:prime256v1', 'replaced', '07')
    const failure = await failureOf(key.sign(BYTES, { hash: 'sha256' }))
    expect(failure).toBeInstanceOf(KeyError)
    expect((failure as Error).message).toContain('another key')
  })
})

describe('a configuration that does not fit the token', () => {
  it('is refused for a missing token, key, library', async () => {
    for (const path of ['object=nobody', 'object=P-256;serial=0000']) {
      expect(await failureOf(open(path))).toBeInstanceOf(ConfigError)
    }
    const library = `pkcs11:object=P-256?module-path=/nowhere/lib.so`
    expect(await failureOf(openSigningKey(library))).toBeInstanceOf(ConfigError)
    const text = `pkcs11:object=P-256?module-path=${import.meta.filename}`
    expect(await failureOf(openSigningKey(text))).toBeInstanceOf(ConfigError)
  })

  it('is refused for two keys of one label, and their ids tell them apart', async () => {
    hsm.makeKey('EC:prime256v1', 'twin', '11')
    hsm.makeKey('EC:prime256v1', 'twin', '12')
    const failure = await failureOf(open('object=twin'))
    expect(failure).toBeInstanceOf(ConfigError)
    expect((failure as Error).message).toContain('several')
    await using key = await open('object=twin;id=%12')
    expect(key.publicKey.asymmetricKeyType).toBe('ec')
  })

  it('is refused when the public key is that of another private key', async () => {
    hsm.makeKey('EC:prime256v1', 'half', '21')
    hsm.makeKey('EC:prime256v1', 'other half', '22')
    hsm.tool('--delete-object', '--type', 'pubkey', '--id', '21')
    expect(await failureOf(open('id=%21'))).toBeInstanceOf(ConfigError)
    const folder = temporaryFolder()
    const point = join(folder, 'public.der')
    hsm.tool('--read-object', '--type', 'pubkey', '--id', '22', '--output-file', point)
    hsm.tool('--write-object', point, '--type', 'pubkey', '--id', '21', '--label', 'half')
    const failure = await failureOf(open('id=%21'))
    expect(failure).toBeInstanceOf(ConfigError)
    expect((failure as Error).message).toContain('not its own')
  })

  it('is refused without a PIN, or with one that others can read', async () => {
    expect(await failureOf(openSigningKey(hsm.uri('object=P-256', '')))).toBeInstanceOf(ConfigError)
    const open = join(hsm.dir, 'open-pin')
    writeFileSync(open, '1234', { mode: 0o644 })
    const failure = await failureOf(openSigningKey(hsm.uri('object=P-256', `pin-source=${open}`)))
    expect(failure).toBeInstanceOf(ConfigError)
    expect((failure as Error).message).toContain('chmod 600')
  })
})

// In a process of its own: the login of a token is that of all sessions of a process.
it('shows a wrong PIN to the token once, and names neither it nor the right one', async () => {
  const { execFile } = await import('node:child_process')
  const pin = join(hsm.dir, 'wrong-pin')
  writeFileSync(pin, '4321', { mode: 0o600 })
  const keys = new URL('../../pki/keys.ts', import.meta.url).href
  const uri = hsm.uri('object=P-256', `pin-source=file:${pin}`)
  const program = `
    import { writeFileSync } from 'node:fs'
    const { openSigningKey } = await import(${JSON.stringify(keys)})
    const open = () => openSigningKey(${JSON.stringify(uri)})
    for (let i = 0; i < 3; i += 1) await open().catch((e) => console.log(e.name + ': ' + e.message))
    writeFileSync(${JSON.stringify(pin)}, '1234')
    console.log((await open()).publicKey.asymmetricKeyType)
  `
  const output = await new Promise<string>((resolve) => {
    execFile(process.execPath, ['--input-type=module', '-e', program], (_, stdout, stderr) =>
      resolve(stdout + stderr),
    )
  })
  const lines = output.trim().split('\n')
  expect(lines[0]).toMatch(/^ConfigError: key "P-256".*CKR_PIN_INCORRECT/)
  expect(lines[1]).toMatch(/^ConfigError: key "P-256".*still holds/)
  expect(lines[2]).toBe(lines[1])
  expect(lines[3]).toBe('ec')
  expect(output).not.toMatch(/4321|1234/)
})

it('has the package that reaches tokens', () => {
  const folder = new URL('../../bin/pkcs11/', import.meta.url)
  try {
    createRequire(folder).resolve('pkcs11js')
  } catch {
    expect.fail('pkcs11js is not installed; run: sh bin/setup-pkcs11')
  }
})
