import type { KeyObject } from 'node:crypto'
import { openKeyFile } from '../../pki/keys.ts'
import type { SigningKey } from '../../pki/signing-key.ts'
import { ConfigError } from '../../runtime/config.ts'
import { readPem, type GatewayConfig } from '../config.ts'
import { createCredential, type Credential } from './credential.ts'

/**
 * The credentials that the configuration names, checked against each other and against what it says.
 *
 * @throws ConfigError when a file cannot be read, or says something else than the configuration.
 */
export async function readConfigured(config: GatewayConfig): Promise<Credential[]> {
  const { gatewayId, authentication, signing } = config
  // OpenSSL in Node takes the key of a TLS connection from memory only.
  const tls = openKeyFile(authentication.keyFile)
  const own = checked(authentication.certificateFile, {
    kind: 'authentication',
    owner: gatewayId,
    key: tls,
    keyReference: authentication.keyFile,
    chain: readPem(authentication.certificateFile),
    tlsKey: toPem(tls.privateKey),
  })
  const others = signing.map(async ({ member, keyFile, certificateFile }) =>
    checked(certificateFile, {
      kind: 'signing',
      owner: member,
      key: await openKeyReference(keyFile),
      keyReference: keyFile,
      chain: readPem(certificateFile),
    }),
  )
  return [own, ...(await Promise.all(others))]
}

/** PKCS#8, PEM. */
export const toPem = (key: KeyObject): string =>
  key.export({ type: 'pkcs8', format: 'pem' }).toString()

/** @throws ConfigError when there is no such key, or others than its owner can read it. */
export function openKeyReference(reference: string): Promise<SigningKey> {
  return Promise.resolve(openKeyFile(reference))
}

function checked(file: string, parts: Omit<Credential, 'certificate' | 'fault'>): Credential {
  const credential = createCredential(parts)
  if (credential === undefined) throw new ConfigError(`${file}: holds no PEM certificate`)
  const { fault } = credential
  if (fault !== undefined) throw new ConfigError(`${file}: ${fault} (key: ${parts.keyReference})`)
  return credential
}
