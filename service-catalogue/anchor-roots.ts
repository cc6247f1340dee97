import { ANCHOR_ROOTS } from '../protocol/anchor-statement.ts'
import { LIMITS } from '../protocol/limits.ts'

/** Of a statement, for everything but its roots: eight keys, an address, signatures. */
const REST_BYTES = 16_384

/** Why no anchor statement can hold these roots, PEM, in words that follow "the anchor"; undefined: it can. */
export function rootsFault(roots: readonly string[]): string | undefined {
  const { count, pemLength } = ANCHOR_ROOTS
  if (roots.length > count) return `would have ${roots.length} roots, and gateways take ${count}`
  const longest = Math.max(...roots.map((pem) => pem.length))
  if (longest > pemLength) {
    return `would have a root of ${longest} characters, and gateways take ${pemLength}`
  }
  const bytes = (Buffer.byteLength(JSON.stringify(roots)) * 4) / 3 + REST_BYTES
  if (bytes <= LIMITS.anchorBytes) return undefined
  return `would be larger than the ${LIMITS.anchorBytes} bytes that gateways take`
}
