import { existsSync } from 'node:fs'
import { logOrigin, witnessName } from '../protocol/checkpoint.ts'
import { readGatewayId } from '../protocol/identifiers.ts'
import { NOTE_TYPE, noteVerifier } from '../protocol/signed-note.ts'
import { logFolder } from '../exchange-log/config.ts'
import type { LogKey } from '../exchange-log/integrator.ts'
import { ensureKeyFile, readPassphrase } from '../pki/keys.ts'
import { ConfigError } from '../runtime/config.ts'
import type { GatewayConfig } from './config.ts'

export interface OwnLogKeys {
  /** Signs the checkpoints of this gateway's log. */
  readonly log: LogKey
  /** Cosigns those of others; another key than the log's (tlog-cosignature, "Ed25519 signed message"). */
  readonly witness: LogKey
}

/**
 * Opens the keys, which are made at the first start.
 *
 * @param head the newest checkpoint of the log: its key is not made a second time.
 * @throws ConfigError
 */
export async function openOwnLogKeys(
  config: GatewayConfig,
  head: object | undefined,
): Promise<OwnLogKeys> {
  const { stateDir, keyPassphraseFile: file, exchangeLog } = config
  const env = 'SPEAN_GATEWAY_PASSPHRASE'
  const passphrase = readPassphrase({ env, ...(file === undefined ? {} : { file }) })
  const id = readGatewayId(config.gatewayId)
  const open = async (
    path: string,
    name: string,
    type: (typeof NOTE_TYPE)[keyof typeof NOTE_TYPE],
  ): Promise<LogKey> => {
    const { privateKey } = await ensureKeyFile(path, 'Ed25519', { passphrase })
    return { privateKey, verifier: noteVerifier(name, privateKey, type) }
  }
  const folder = logFolder(stateDir, exchangeLog.number)
  const logFile = exchangeLog.signingKeyFile ?? `${folder}/log.key`
  if (head !== undefined && !existsSync(logFile)) {
    throw new ConfigError(
      `the log has checkpoints, and its key ${logFile} is not there: bring it back from a copy; ` +
        'when it is lost for good, begin the next log (docs/witnesses.md)',
    )
  }
  return {
    log: await open(logFile, logOrigin(id, exchangeLog.number), NOTE_TYPE.ed25519),
    witness: await open(`${stateDir}/witness.key`, witnessName(id), NOTE_TYPE.cosignature),
  }
}
