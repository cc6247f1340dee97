import { sign, type KeyObject } from 'node:crypto'
import { ecdsaDerToRaw, joinJws, jwsSigningInput } from '../protocol/jws.ts'

/** A compact JWS with ES256, by the platform: several megabytes take a fifth of what they take with jose. */
export function signCompact(
  header: Readonly<Record<string, unknown>>,
  payload: string,
  privateKey: KeyObject,
): string {
  const input = jwsSigningInput(header, payload)
  const der = sign('sha256', Buffer.from(input, 'ascii'), privateKey)
  return joinJws(input, ecdsaDerToRaw(der, 32))
}
