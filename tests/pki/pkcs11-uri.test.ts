import { describe, expect, it } from 'vitest'
import { isPkcs11Uri, nameOfKey, parsePkcs11Uri } from '../../pki/pkcs11-uri.ts'
import { ConfigError } from '../../runtime/config.ts'

const QUERY = '?module-path=/usr/lib/lib.so'

function messageOf(uri: string): string {
  try {
    parsePkcs11Uri(uri)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return (error as Error).message
  }
  return expect.fail(`${uri} was read`)
}

describe('a PKCS#11 URI', () => {
  it('names library, token, key and the file of the PIN', () => {
    const uri = `pkcs11:token=Spean;object=signing;id=%01%ff;type=private${QUERY}&pin-source=file:/etc/pin`
    expect(isPkcs11Uri(uri)).toBe(true)
    expect(parsePkcs11Uri(uri)).toEqual({
      modulePath: '/usr/lib/lib.so',
      token: { token: 'Spean', manufacturer: undefined, serial: undefined, model: undefined },
      object: 'signing',
      id: Buffer.of(1, 0xff),
      pinFile: '/etc/pin',
    })
  })

  it('has values with percent-encoded octets: UTF-8, and any octet in an id', () => {
    // The token of RFC 7512 §3, with a semicolon, a slash and a percent sign in the label of the key.
    const uri = `pkcs11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0;object=a%3bb%2Fc%25;id=%69%95%3E%5C%F4%BD%EC%91${QUERY}`
    const { token, object, id } = parsePkcs11Uri(uri)
    expect(token.token).toBe('The Software PKCS#11 Softtoken')
    expect(token.manufacturer).toBe('Snake Oil, Inc.')
    expect(object).toBe('a;b/c%')
    expect(id?.toString('hex')).toBe('69953e5cf4bdec91')
    const khmer = `pkcs11:object=${encodeURIComponent('ហត្ថលេខា')}${QUERY}`
    expect(parsePkcs11Uri(khmer).object).toBe('ហត្ថលេខា')
    expect(parsePkcs11Uri(`pkcs11:id=ab${QUERY}`).id?.toString('hex')).toBe('6162')
    expect(parsePkcs11Uri('pkcs11:id=%01?module-path=/a%26b').modulePath).toBe('/a&b')
  })

  it.each([
    ['file:/etc/pin', '/etc/pin'],
    ['file:///etc/pin', '/etc/pin'],
    ['/etc/pin', '/etc/pin'],
    ['file:/etc/my%2520pin', '/etc/my pin'], // a URI inside of a URI
  ])('has its PIN in %s', (source, file) => {
    expect(parsePkcs11Uri(`pkcs11:id=%01${QUERY}&pin-source=${source}`).pinFile).toBe(file)
  })

  it.each([
    ['no key', `pkcs11:token=Spean${QUERY}`],
    ['an empty key', `pkcs11:object=${QUERY}`],
    ['nothing', 'pkcs11:'],
    ['no library', 'pkcs11:object=a'],
    ['a library by a relative path', 'pkcs11:object=a?module-path=lib.so'],
    ['another type of object', `pkcs11:object=a;type=cert${QUERY}`],
    ['a slot', `pkcs11:object=a;slot-id=1${QUERY}`],
    ['an unknown attribute of the path', `pkcs11:object=a;colour=red${QUERY}`],
    ['an unknown attribute of the query', `pkcs11:object=a${QUERY}&colour=red`],
    ['a vendor attribute', `pkcs11:object=a;x-vendor=1${QUERY}`],
    ['an attribute of the query in the path', 'pkcs11:object=a;module-path=/lib.so'],
    ['an attribute twice', `pkcs11:object=a;object=b${QUERY}`],
    ['a library twice', `pkcs11:object=a${QUERY}&module-path=/b`],
    ['an attribute without a value', `pkcs11:object${QUERY}`],
    ['an empty attribute', `pkcs11:object=a;${QUERY}`],
    ['a slash in the path', `pkcs11:object=a/b${QUERY}`],
    ['a blank', `pkcs11:object=a b${QUERY}`],
    ['a line end', `pkcs11:object=a${QUERY}\n`],
    ['letters that are not encoded', `pkcs11:object=ខ្មែរ${QUERY}`],
    ['half an octet', `pkcs11:object=a%4${QUERY}`],
    ['an octet that is none', `pkcs11:object=a%zz${QUERY}`],
    ['text that is not UTF-8', `pkcs11:object=%ff${QUERY}`],
    ['a fragment', `pkcs11:object=a${QUERY}#b`],
    ['a command as the source of the PIN', `pkcs11:object=a${QUERY}&pin-source=|/bin/pin`],
    ['a PIN file by a relative path', `pkcs11:object=a${QUERY}&pin-source=pin`],
    ['a PIN file on another machine', `pkcs11:object=a${QUERY}&pin-source=file://host/pin`],
  ])('is refused with %s', (_, uri) => {
    expect(messageOf(uri)).toMatch(/^pkcs11: URI: /)
  })

  it('is refused with a PIN in it, which is not repeated', () => {
    const message = messageOf(`pkcs11:object=a${QUERY}&pin-value=s3cret`)
    expect(message).toContain('pin-source')
    for (const uri of [
      `pkcs11:object=a${QUERY}&pin-value=s3cret&pin-value=s3cret`,
      `pkcs11:object=a${QUERY}&pin-value=s3cret %`,
      `pkcs11:object=a${QUERY}&pin_value=S3CRET`,
      `pkcs11:object=a${QUERY}&pin-value=a&S3CRET`,
    ]) {
      expect(messageOf(uri)).not.toMatch(/s3cret/i)
    }
  })

  it('is not the path of a file', () => {
    expect(isPkcs11Uri('/var/lib/spean/pkcs11:key')).toBe(false)
    expect(isPkcs11Uri('signing.key')).toBe(false)
    expect(isPkcs11Uri('PKCS11:object=a')).toBe(true)
  })

  it('is named in messages by key and token', () => {
    expect(nameOfKey(`pkcs11:token=T;object=a;id=%01${QUERY}`)).toBe('key "a" id 01 in token "T"')
    expect(nameOfKey(`pkcs11:object=a;serial=9${QUERY}`)).toBe('key "a" in the token serial "9"')
    expect(nameOfKey('/keys/a.key')).toBe('/keys/a.key')
  })
})
