import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ConfigError } from '../../runtime/config.ts'
import {
  ensureToken,
  readPrivateFile,
  writeFileAtomically,
  writePrivateFile,
} from '../../runtime/private-file.ts'

const fresh = (name = 'key.pem'): string => join(mkdtempSync(join(tmpdir(), 'private-')), name)
const modeOf = (file: string): number => statSync(file).mode & 0o777

describe('writeFileAtomically', () => {
  it('makes the folders, replaces the whole content and leaves nothing beside it', () => {
    const file = fresh('a/b/snapshot.jws')
    writeFileAtomically(file, 'a longer first content')
    writeFileAtomically(file, Buffer.from('short'))
    expect(readFileSync(file, 'utf8')).toBe('short')
    expect(readdirSync(join(file, '..'))).toEqual(['snapshot.jws'])
    expect(modeOf(file)).toBe(0o644)
  })

  it('is not disturbed by what a crash left, nor takes over its mode', () => {
    const file = fresh()
    writeFileSync(`${file}.new`, 'half of a content that was never', { mode: 0o666 })
    chmodSync(`${file}.new`, 0o666)
    writeFileAtomically(file, 'x', 0o600)
    expect(readFileSync(file, 'utf8')).toBe('x')
    expect(modeOf(file)).toBe(0o600)
    expect(existsSync(`${file}.new`)).toBe(false)
  })
})

describe('writePrivateFile', () => {
  it('lets only the owner read the file, and enter a folder that it made', () => {
    const file = fresh('keys/key.pem')
    writePrivateFile(file, 'secret')
    expect(modeOf(file)).toBe(0o600)
    expect(modeOf(join(file, '..'))).toBe(0o700)
    expect(readPrivateFile(file)).toBe('secret')
  })
})

describe('readPrivateFile', () => {
  it.each([0o640, 0o604, 0o644, 0o620, 0o601])('refuses a file of mode %o', (mode) => {
    const file = fresh()
    writePrivateFile(file, 'secret')
    chmodSync(file, mode)
    expect(() => readPrivateFile(file)).toThrow(ConfigError)
    expect(() => readPrivateFile(file)).toThrow(`chmod 600 ${file}`)
  })

  it('names a file that is missing', () => {
    const file = fresh()
    expect(() => readPrivateFile(file)).toThrow(ConfigError)
    expect(() => readPrivateFile(file)).toThrow(file)
  })
})

describe('ensureToken', () => {
  it('makes 256 random bits once and keeps them', () => {
    const file = fresh('admin.token')
    const token = ensureToken(file)
    expect(Buffer.from(token, 'base64url')).toHaveLength(32)
    expect(ensureToken(file)).toBe(token)
    expect(ensureToken(fresh())).not.toBe(token)
    expect(modeOf(file)).toBe(0o600)
  })

  it('refuses a token that others can read', () => {
    const file = fresh('admin.token')
    ensureToken(file)
    chmodSync(file, 0o644)
    expect(() => ensureToken(file)).toThrow(ConfigError)
  })
})
