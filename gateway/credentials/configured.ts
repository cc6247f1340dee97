import type { KeyObject } from 'node:crypto'
import { openKeyFile, openSigningKey } from '../../pki/keys.ts'
import { ConfigError } from '../../runtime/config.ts'
import { readPem, type GatewayConfig } from '../config.ts'
import { createCredential, type Credential } from './credential.ts'

/** How keys are opened. */
export interface KeyOptions {
  /** Of key files; undefined when they are not encrypted. */
  readonly passphrase: string | undefined
  /** Closes what is opened: a token has sessions. */
  readonly scope: AsyncDisposableStack
}

export const withPassphrase = (passphrase: string | undefined): { passphrase?: string } =>
  passphrase === undefined ? {} : { passphrase }

/**
 * The credentials that the configuration names, checked against each other and against what it says.
 *
 * @throws ConfigError when a file cannot be read, or says something else than the configuration.
 */
export async function readConfigured(
  config: GatewayConfig,
  { passphrase, scope }: KeyOptions,
): Promise<Credential[]> {
  const { gatewayId, authentication, signing } = config
  // OpenSSL in Node takes the key of a TLS connection from memory only.
  const tls = openKeyFile(authentication.keyFile, withPassphrase(passphrase))
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
      key: scope.use(await openSigningKey(keyFile, withPassphrase(passphrase))),
      keyReference: keyFile,
      chain: readPem(certificateFile),
    }),
  )
  return [own, ...(await Promise.all(others))]
}

/** PKCS#8, PEM. */
export const toPem = (key: KeyObject): string =>
  key.export({ type: 'pkcs8', format: 'pem' }).toString()

function checked(file: string, parts: Omit<Credential, 'certificate' | 'fault'>): Credential {
  const credential = createCredential(parts)
  if (credential === undefined) throw new ConfigError(`${file}: holds no PEM certificate`)
  const { fault } = credential
  if (fault !== undefined) throw new ConfigError(`${file}: ${fault} (key: ${parts.keyReference})`)
  return credential
}
