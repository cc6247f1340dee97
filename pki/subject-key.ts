import type { KeyObject } from 'node:crypto'

const MIN_RSA_BITS = 2048
const MAX_RSA_BITS = 4096
const MIN_EXPONENT = 65_537n
/** OpenSSL, and with it most of what will verify, stops at 64 bits. */
const MAX_EXPONENT = 2n ** 64n
/** Product of the odd primes below 752: NIST SP 800-89 §5.3.3 asks that none of them divides a modulus. */
const SMALL_PRIMES = primesBelow(752).reduce((product, prime) => product * prime, 1n)

/**
 * What keeps a key from being certified by us, undefined when nothing does: P-256, P-384, and RSA with 2048 to
 * 4096 bits. It is narrower than what is accepted of other authorities, see keyFault.
 */
export function subjectKeyFault(key: KeyObject): string | undefined {
  const { namedCurve } = key.asymmetricKeyDetails ?? {}
  switch (key.asymmetricKeyType) {
    case 'ec':
      if (namedCurve === 'prime256v1' || namedCurve === 'secp384r1') return undefined
      return `the curve ${namedCurve ?? 'with explicit parameters'} is neither P-256 nor P-384`
    case 'rsa':
      return rsaFault(key)
    default:
      return `a key of type ${key.asymmetricKeyType} is neither EC nor RSA`
  }
}

function rsaFault(key: KeyObject): string | undefined {
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {}
  if (modulusLength < MIN_RSA_BITS) return `RSA with ${modulusLength} bits is below ${MIN_RSA_BITS}`
  if (modulusLength > MAX_RSA_BITS) return `RSA with ${modulusLength} bits is above ${MAX_RSA_BITS}`
  if (publicExponent < MIN_EXPONENT || publicExponent >= MAX_EXPONENT) {
    return `the RSA exponent ${publicExponent} is not from 65537 to 64 bits`
  }
  const modulus = modulusOf(key)
  if (publicExponent % 2n === 0n || modulus % 2n === 0n) return 'the RSA key is even'
  return gcd(modulus, SMALL_PRIMES) === 1n ? undefined : 'the RSA modulus has a small factor'
}

function modulusOf(key: KeyObject): bigint {
  const { n = '' } = key.export({ format: 'jwk' })
  return BigInt(`0x${Buffer.from(n, 'base64url').toString('hex')}`)
}

function gcd(a: bigint, b: bigint): bigint {
  return b === 0n ? a : gcd(b, a % b)
}

function primesBelow(limit: number): bigint[] {
  const primes: number[] = []
  for (let odd = 3; odd < limit; odd += 2) {
    if (primes.every((prime) => odd % prime !== 0)) primes.push(odd)
  }
  return primes.map(BigInt)
}
