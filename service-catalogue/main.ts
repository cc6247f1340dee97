/** The service catalogue as a program: `node service-catalogue/main.ts CONFIGFILE`. */
import { createLogger } from '../runtime/logger.ts'
import { runMain, stopSignal } from '../runtime/lifecycle.ts'
import { readCatalogueConfig } from './config.ts'
import { startCatalogue } from './server.ts'

await runMain(async () => {
  const config = readCatalogueConfig(process.argv[2] ?? 'catalogue.json')
  const logger = createLogger(`catalogue ${config.instance}`)
  if (config.publicUrl === undefined) {
    logger.warn('publicUrl is not set: the anchor names host and port of this machine')
  }
  await using catalogue = await startCatalogue(config, { logger })
  const { url, anchorFile } = catalogue
  logger.info({ url, anchorFile, number: catalogue.snapshotNumber() }, 'catalogue ready')
  logger.info({ signal: await stopSignal() }, 'catalogue stopping')
})
