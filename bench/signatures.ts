/**
 * Signatures per second of keys, as a gateway makes them: `node bench/signatures.ts KEY…`, each a key file or a
 * pkcs11: URI. One after the other, and 64 at a time.
 */
import { openSigningKey } from '../pki/keys.ts'

const SECONDS = 3
const PARALLEL = 64
const MESSAGE = Buffer.alloc(1_500, 'manifest')

async function rate(sign: () => Promise<unknown>, parallel: number): Promise<number> {
  const end = performance.now() + SECONDS * 1_000
  let made = 0
  const signer = async (): Promise<void> => {
    while (performance.now() < end) {
      await sign()
      made += 1
    }
  }
  await Promise.all(Array.from({ length: parallel }, signer))
  return Math.round(made / SECONDS)
}

for (const reference of process.argv.slice(2)) {
  await using key = await openSigningKey(reference)
  const { asymmetricKeyType, asymmetricKeyDetails } = key.publicKey
  const { namedCurve, modulusLength } = asymmetricKeyDetails ?? {}
  const sign = () => key.sign(MESSAGE, { hash: 'sha256', ecdsaForm: 'jose' })
  const [alone, together] = [await rate(sign, 1), await rate(sign, PARALLEL)]
  const kind = `${asymmetricKeyType} ${namedCurve ?? modulusLength}`
  console.log(`${reference}: ${kind}: ${alone}/s alone, ${together}/s with ${PARALLEL} at a time`)
}
