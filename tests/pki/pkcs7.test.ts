import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createCertsOnly, parseCertsOnly } from '../../pki/pkcs7.ts'
import { toPem } from '../../pki/pem.ts'
import {
  alterations,
  createLeaf,
  openssl,
  outcomeOf,
  temporaryFolder,
  truncations,
  writeFiles,
} from './support.ts'

describe.each(['P-256', 'RSA-2048'] as const)('bundle of %s certificates', (kind) => {
  it('is what openssl reads, byte by byte, and what openssl writes is read', async () => {
    const { leaf, authority } = await createLeaf(kind)
    const chain = [leaf, authority.issuing.certificate, authority.root.certificate]
    const der = createCertsOnly(chain)
    const folder = temporaryFolder()
    const file = join(folder, 'bundle.p7b')
    writeFiles(folder, { 'bundle.p7b': der, 'chain.pem': chain.map(({ pem }) => pem).join('') })
    const printed = await openssl(['pkcs7', '-inform', 'DER', '-in', file, '-print_certs'])
    for (const { pem } of chain) expect(printed.output).toContain(pem)
    const shown = await openssl([
      'cms',
      '-cmsout',
      '-print',
      '-noout',
      '-inform',
      'DER',
      '-in',
      file,
    ])
    expect(shown).toMatchObject({ exitCode: 0 })
    expect(shown.output).toContain('signerInfos:\n      <EMPTY>')
    const thumbprints = (bundle: Buffer) =>
      new Set(parseCertsOnly(bundle).map(({ thumbprint }) => thumbprint))
    expect(thumbprints(der)).toEqual(new Set(chain.map(({ thumbprint }) => thumbprint)))

    const made = join(folder, 'made.p7b')
    await openssl(
      ['crl2pkcs7', '-nocrl', '-certfile', join(folder, 'chain.pem')],
      ['-outform', 'DER', '-out', made],
    )
    expect(thumbprints(readFileSync(made))).toEqual(thumbprints(der))
  })
})

describe('pkcs7', () => {
  it('is told from other structures', async () => {
    const { leaf } = await createLeaf()
    const malformed = expect.objectContaining({ code: 'certificate.malformed' }) as Error
    expect(() => parseCertsOnly(leaf.der)).toThrow(malformed)
    expect(() => parseCertsOnly(Buffer.from(toPem('PKCS7', leaf.der)))).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^encoding\./) as string }) as Error,
    )
  })

  it('is refused when it holds nothing, or a signed message', async () => {
    const malformed = expect.objectContaining({ code: 'encoding.malformed' }) as Error
    expect(() => parseCertsOnly(createCertsOnly([]))).toThrow(malformed)
    const { leaf, key } = await createLeaf()
    const folder = temporaryFolder()
    const pem = key.privateKey.export({ type: 'pkcs8', format: 'pem' })
    writeFiles(folder, { 'leaf.pem': leaf.pem, 'leaf.key': pem, message: 'hello' })
    const signed = join(folder, 'signed.der')
    await openssl(
      ['cms', '-sign', '-nodetach', '-outform', 'DER', '-in', join(folder, 'message')],
      ['-signer', join(folder, 'leaf.pem'), '-inkey', join(folder, 'leaf.key'), '-out', signed],
    )
    expect(() => parseCertsOnly(readFileSync(signed))).toThrow(malformed)
  })

  it('comes to a value or a known error for every truncation and every altered byte', async () => {
    const { leaf, authority } = await createLeaf()
    const der = createCertsOnly([leaf, authority.issuing.certificate])
    for (const bytes of truncations(der)) {
      expect(outcomeOf(() => parseCertsOnly(bytes))).toBe('refused')
    }
    for (const bytes of alterations(der, 2_000)) outcomeOf(() => parseCertsOnly(bytes))
  })
})
