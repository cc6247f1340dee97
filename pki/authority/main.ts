/** Composition root of the certificate authority: `node pki/authority/main.ts CONFIGFILE`. */
import { readConfig, relativeTo } from '../../runtime/config.ts'
import { runMain, stopSignal } from '../../runtime/lifecycle.ts'
import { createLogger } from '../../runtime/logger.ts'
import { authorityConfigSchema, type AuthorityConfig } from './config.ts'
import { startAuthority } from './server.ts'

await runMain(async () => {
  const configFile = process.argv[2] ?? 'authority.json'
  const config = readConfig<AuthorityConfig>(configFile, authorityConfigSchema)
  const logger = createLogger(`authority ${config.instance}`)
  const stateDir = relativeTo(configFile)(config.stateDir)

  await using running = await startAuthority({ ...config, stateDir }, { logger })
  const { publicUrl, adminUrl } = running
  logger.info({ instance: config.instance, publicUrl, adminUrl }, 'authority ready')
  logger.info({ signal: await stopSignal() }, 'authority stopping')
})
