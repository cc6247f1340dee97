import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Attributes, CertificationRequestInfo } from '@peculiar/asn1-csr'
import {
  Attribute,
  Extensions,
  Name,
  SubjectPublicKeyInfo,
  type Extension,
} from '@peculiar/asn1-x509'
import { describe, expect, it } from 'vitest'
import { decodeAsn, encodeAsn, extension, toArrayBuffer } from '../../pki/asn1.ts'
import { createCsr, parseCsr, type CertificateRequest } from '../../pki/csr.ts'
import { subjectOf } from '../../pki/identity.ts'
import { exportSpki, generateKey } from '../../pki/keys.ts'
import { OID } from '../../pki/oids.ts'
import { signAsn } from '../../pki/signed-structure.ts'
import { encodeAltNames } from '../../pki/subject-alt-name.ts'
import type { ErrorCode } from '../../protocol/errors.ts'
import {
  createLeaf,
  alterations,
  GATEWAY,
  openssl,
  outcomeOf,
  temporaryFolder,
  truncations,
  writeFiles,
} from './support.ts'

const NAMES = ['gateway.moi.example', '10.0.0.7', '2001:db8::1']

describe('csr', () => {
  it.each(['P-256', 'P-384', 'RSA-2048'] as const)(
    'makes a request with a key of kind %s that openssl verifies',
    async (kind) => {
      const key = await generateKey(kind)
      const folder = temporaryFolder()
      const request = await createCsr({ identity: GATEWAY, key, subjectAltNames: NAMES })
      writeFiles(folder, { 'made.csr': request.pem })
      const { exitCode, output } = await openssl([
        'req',
        '-verify',
        '-noout',
        '-text',
        '-in',
        join(folder, 'made.csr'),
      ])
      expect(exitCode).toBe(0)
      expect(output).toContain('DNS:gateway.moi.example, IP Address:10.0.0.7')
      const parsed = parseCsr(request.der)
      expect(parsed).toMatchObject({ identity: GATEWAY, subjectAltNames: NAMES })
      expect(parsed.publicKey.equals(key.publicKey)).toBe(true)
    },
  )

  it.each([
    ['ec', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']],
    ['rsa', ['-newkey', 'rsa:2048']],
  ])('reads a request that openssl made (%s)', async (_what, key) => {
    const folder = temporaryFolder()
    const file = join(folder, 'made.csr')
    const subject = '/O=KH-TEST/OU=GOV/CN=ក្រសួងមហាផ្ទៃ/serialNumber=MOI-1'
    const made = await openssl(
      ['req', '-new', '-nodes', ...key, '-utf8', '-subj', subject, '-out', file],
      ['-keyout', join(folder, 'made.key')],
      ['-addext', 'subjectAltName=DNS:gateway.moi.example,IP:10.0.0.7,IP:2001:db8::1'],
    )
    expect(made.exitCode).toBe(0)
    expect(parseCsr(readFileSync(file, 'utf8'))).toMatchObject({
      identity: GATEWAY,
      subjectAltNames: NAMES,
    })
  })

  it('refuses a request signed with another key than the one it names', async () => {
    const [named, signing] = [await generateKey('P-256'), await generateKey('P-256')]
    const key = { ...signing, publicKey: named.publicKey }
    const request = await createCsr({ identity: GATEWAY, key })
    expect(() => parseCsr(request.der)).toThrow(code('enrolment.proof-invalid'))
  })

  it.each([
    ['RSA with 1024 bits', ['rsa:1024'], 'is below 2048'],
    ['RSA with 5120 bits', ['rsa:5120'], 'is above 4096'],
    ['the exponent 3', ['rsa:2048', '-pkeyopt', 'rsa_keygen_pubexp:3'], 'exponent 3'],
    ['P-521', ['ec', '-pkeyopt', 'ec_paramgen_curve:P-521'], 'secp521r1'],
    ['secp256k1', ['ec', '-pkeyopt', 'ec_paramgen_curve:secp256k1'], 'secp256k1'],
    [
      'P-256 by explicit parameters',
      ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-pkeyopt', 'ec_param_enc:explicit'],
      'spelt out',
    ],
    ['Ed25519', ['ed25519'], 'ed25519'],
    ['RSASSA-PSS only', ['rsa-pss', '-pkeyopt', 'rsa_keygen_bits:2048'], 'rsa-pss'],
  ])('refuses a key of the kind %s', async (_what, newKey, reason) => {
    const read = await madeByOpenssl(['-newkey', ...newKey, '-subj', SUBJECT])
    expect(read).toThrow(code('enrolment.key-refused'))
    expect(read).toThrow(reason)
  })

  it('refuses DSA, and a modulus that is easily factored', async () => {
    const { privateKey } = generateKeyPairSync('dsa' as 'rsa', { modulusLength: 2048 })
    const folder = temporaryFolder()
    writeFiles(folder, { 'dsa.key': privateKey.export({ type: 'pkcs8', format: 'pem' }) })
    const read = await madeByOpenssl(['-key', join(folder, 'dsa.key'), '-subj', SUBJECT])
    expect(read).toThrow(code('enrolment.key-refused'))

    const n = Buffer.alloc(256, 0xff) // divisible by 3
    const jwk = { kty: 'RSA', n: n.toString('base64url'), e: 'AQAB' }
    const publicKey = createPublicKey({ key: jwk, format: 'jwk' })
    const key = { ...(await generateKey('RSA-2048')), publicKey }
    const { der } = await createCsr({ identity: GATEWAY, key })
    expect(() => parseCsr(der)).toThrow(code('enrolment.key-refused'))
    expect(() => parseCsr(der)).toThrow('small factor')
  })

  it.each([
    ['basicConstraints=CA:TRUE'],
    ['keyUsage=keyCertSign'],
    ['subjectKeyIdentifier=hash'],
    ['1.2.3.4=ASN1:UTF8String:x'],
    ['subjectAltName=email:a@example.org'],
    ['subjectAltName=DNS:localhost,URI:http://a.example'],
  ])('refuses a request for the extension %s', async (extension) => {
    const read = await madeByOpenssl([...NEW_EC, '-subj', SUBJECT, '-addext', extension])
    expect(read).toThrow(code('enrolment.extension-refused'))
  })

  it.each([
    ['Khmer', 'ក្រសួងមហាផ្ទៃ', 'ក្រសួងសុខាភិបាល'],
    ['Lao', 'ກະຊວງພາຍໃນ', 'ກະຊວງສາທາລະນະສຸກ'],
    ['both, and signs that need escapes', 'ກະຊວງ, "ក្រសួង"+<x>', '#ກ=;ក'],
  ])('reads a request with organisation names in %s', async (_what, instance, member) => {
    const subject = `/O=${instance}/OU=GOV/CN=${member}`.replaceAll('+', '\\+')
    for (const key of [NEW_EC, ['-newkey', 'rsa:2048']]) {
      const read = await madeByOpenssl([...key, '-utf8', '-subj', subject])
      const request = read()
      expect(request.identity).toEqual({ instance, memberClass: 'GOV', member })
      // Byte by byte what we write: UTF8String.
      expect(request.subjectDer.toString()).toContain(member)
      expect(subjectOf(request.identity!).includes(Buffer.from(member))).toBe(true)
    }
  })

  it('passes over attributes that ask for nothing, a challenge password among them', async () => {
    const folder = temporaryFolder()
    const config = [
      '[req]\nprompt=no\ndistinguished_name=dn\nattributes=a\n[dn]\nO=x',
      '[a]\nchallengePassword=once-only\nunstructuredName=passed over\n',
    ].join('\n')
    writeFiles(folder, { 'own.cnf': config })
    const read = await madeByOpenssl([...NEW_EC, '-config', join(folder, 'own.cnf')])
    expect(read().subjectAltNames).toEqual([])
    expect(JSON.stringify(read())).not.toContain('once-only')
  })

  it('refuses what is asked for twice', async () => {
    const names = extension(OID.subjectAltName, encodeAltNames(['localhost']))
    const ask = (...extensions: Extension[]) =>
      attribute(OID.extensionRequest, encodeAsn(new Extensions(extensions)))
    const { values } = ask(names)
    const two = new Attribute({ type: OID.extensionRequest, values: [...values, ...values] })
    const none = new Attribute({ type: OID.extensionRequest, values: [] })
    const odd = attribute(OID.extensionRequest, Buffer.from('0500', 'hex'))
    for (const attributes of [
      [ask(names, names)],
      [ask(names), ask(names)],
      [two],
      [none],
      [odd],
    ]) {
      const der = await withAttributes(attributes)
      expect(() => parseCsr(der)).toThrow(code('encoding.malformed'))
    }
    const once = await withAttributes([ask(names)])
    expect(parseCsr(once).subjectAltNames).toEqual(['localhost'])
  })

  it('refuses a proof made with SHA-1', async () => {
    const read = await madeByOpenssl([...NEW_EC, '-sha1', '-subj', SUBJECT])
    expect(read).toThrow(code('enrolment.proof-invalid'))
  })

  it('says what stands in place of a request', async () => {
    const { leaf, key } = await createLeaf()
    expect(() => parseCsr(leaf.pem)).toThrow('a certificate and no CERTIFICATE REQUEST')
    expect(() => parseCsr(leaf.der)).toThrow('it is a certificate')
    const secret = key.privateKey.export({ type: 'pkcs8', format: 'der' })
    expect(() => parseCsr(secret)).toThrow('it is a private key')
    for (const other of [leaf.pem, leaf.der, secret, '']) {
      expect(() => parseCsr(other)).toThrow(code('encoding.malformed'))
    }
  })

  it('refuses every truncation and every altered byte', async () => {
    const key = await generateKey('P-256')
    const { der } = await createCsr({ identity: GATEWAY, key, subjectAltNames: NAMES })
    for (const bytes of truncations(der)) expect(outcomeOf(() => parseCsr(bytes))).toBe('refused')
    // Every byte is signed, is the signature, or is the frame around both.
    for (const bytes of alterations(der)) expect(outcomeOf(() => parseCsr(bytes))).toBe('refused')
  })
})

const SUBJECT = '/O=a/OU=b/CN=c'
const NEW_EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']

const code = (expected: ErrorCode): Error => expect.objectContaining({ code: expected }) as Error

/** Reads the request that openssl made, once it is called. */
async function madeByOpenssl(args: string[]): Promise<() => CertificateRequest> {
  const folder = temporaryFolder()
  const file = join(folder, 'made.csr')
  const made = await openssl(
    ['req', '-new', '-nodes', '-out', file, '-keyout', join(folder, 'made.key')],
    args,
  )
  expect(made).toMatchObject({ exitCode: 0 })
  const pem = readFileSync(file, 'utf8')
  return () => parseCsr(pem)
}

const attribute = (type: string, value: Buffer): Attribute =>
  new Attribute({ type, values: [toArrayBuffer(value)] })

/** A request with these attributes, properly signed. */
async function withAttributes(attributes: Attribute[]): Promise<Buffer> {
  const key = await generateKey('P-256')
  const info = new CertificationRequestInfo({
    subject: decodeAsn(subjectOf(GATEWAY), Name),
    subjectPKInfo: decodeAsn(exportSpki(key.publicKey), SubjectPublicKeyInfo),
    attributes: new Attributes(attributes),
  })
  return await signAsn(encodeAsn(info), key)
}
