import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { calculateJwkThumbprint, exportJWK, type JWK } from 'jose'
import { ensureKeyFile } from '../pki/keys.ts'
import { SNAPSHOT_TYPE } from '../protocol/snapshot.ts'
import { ConfigError } from '../runtime/config.ts'
import { writeFileAtomically } from '../runtime/private-file.ts'
import { signCompact } from './compact-jws.ts'

export interface SnapshotKey {
  /** RFC 7638 thumbprint of the public key. */
  readonly kid: string
  /** For the anchor. */
  readonly publicJwk: JWK
  /** @returns compact JWS, ES256; `typ` tells what it is, `spean-snapshot` when left out. */
  sign(payload: string, typ?: string): Promise<string>
}

/**
 * The key in `stateDir/snapshot.key`, which is made at the first start; its public half is written
 * to `snapshot-key.jwks.json`.
 *
 * @param hasSnapshots whether some were published already.
 * @throws ConfigError when the key is not P-256, or is gone though snapshots were published: no
 * gateway would believe another one.
 */
export async function openSnapshotKey(
  stateDir: string,
  hasSnapshots: boolean,
): Promise<SnapshotKey> {
  const file = join(stateDir, 'snapshot.key')
  if (hasSnapshots && !existsSync(file)) {
    throw new ConfigError(
      `${file}: is missing, and gateways believe no other key; restore it from a backup`,
    )
  }
  const { privateKey, publicKey } = await ensureKeyFile(file, 'P-256')
  if (privateKey.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
    throw new ConfigError(`${file}: is not a P-256 key`)
  }
  const bare = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(bare)
  const publicJwk: JWK = { ...bare, kid, alg: 'ES256', use: 'sig' }
  const jwks = JSON.stringify({ keys: [publicJwk] }, undefined, 2)
  writeFileAtomically(join(stateDir, 'snapshot-key.jwks.json'), `${jwks}\n`)
  return {
    kid,
    publicJwk,
    sign: async (payload, typ = SNAPSHOT_TYPE) =>
      signCompact({ alg: 'ES256', kid, typ }, payload, privateKey),
  }
}
