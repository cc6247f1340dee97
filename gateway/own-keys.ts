import { readPassphrase } from '../pki/keys.ts'
import type { Logger } from '../runtime/logger.ts'
import type { GatewayConfig } from './config.ts'
import { readConfigured } from './credentials/configured.ts'
import { openCredentialStore, type CredentialStore } from './credentials/store.ts'

/**
 * Opens the keys and certificates of the configuration, and those that came since by renewal.
 *
 * @param deps.scope closes the keys: they are opened as long as the gateway runs.
 * @throws ConfigError
 */
export async function openOwnKeys(
  config: GatewayConfig,
  { scope, logger }: { readonly scope: AsyncDisposableStack; readonly logger: Logger },
): Promise<CredentialStore> {
  const { stateDir, keyPassphraseFile: file } = config
  const env = 'SPEAN_GATEWAY_PASSPHRASE'
  const passphrase = readPassphrase({ env, ...(file === undefined ? {} : { file }) })
  // Of its own: it grows as long as there are renewals.
  const keyOptions = { passphrase, scope: scope.use(new AsyncDisposableStack()) }
  const configured = await readConfigured(config, keyOptions)
  const tls = configured.find(({ kind }) => kind === 'authentication')
  if (tls?.certificate.subjectAltNames.length === 0) {
    logger.warn(
      'authentication.certificateFile names no host: clients of the HTTPS ports will refuse it',
    )
  }
  const dir = `${stateDir}/credentials`
  return openCredentialStore({ dir, configured, ...keyOptions, logger })
}
