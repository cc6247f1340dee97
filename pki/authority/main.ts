/** Composition root of the certificate authority: `node pki/authority/main.ts CONFIGFILE`. */
import { readConfig, relativeTo } from '../../runtime/config.ts'
import { runMain, stopSignal } from '../../runtime/lifecycle.ts'
import { createLogger } from '../../runtime/logger.ts'
import { authorityConfigSchema, resolvePaths, type AuthorityConfig } from './config.ts'
import { startAuthority } from './server.ts'

await runMain(async () => {
  const configFile = process.argv[2] ?? 'authority.json'
  const config = readConfig<AuthorityConfig>(configFile, authorityConfigSchema)
  const logger = createLogger(`authority ${config.instance}`)
  const resolved = resolvePaths(config, relativeTo(configFile))

  await using running = await startAuthority(resolved, { logger })
  const { publicUrl, adminUrl, estUrl } = running
  logger.info({ instance: config.instance, publicUrl, adminUrl, estUrl }, 'authority ready')
  logger.info({ signal: await stopSignal() }, 'authority stopping')
})
