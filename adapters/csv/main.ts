/** Composition root of the CSV adapter: `node adapters/csv/main.ts CONFIGFILE`. */
import { readConfig, relativeTo } from '../../runtime/config.ts'
import { runMain, stopSignal } from '../../runtime/lifecycle.ts'
import { createLogger } from '../../runtime/logger.ts'
import { csvAdapterConfigSchema, type CsvAdapterConfig } from './config.ts'
import { startCsvAdapter } from './server.ts'

await runMain(async () => {
  const configFile = process.argv[2] ?? 'csv-adapter.json'
  const config = readConfig<CsvAdapterConfig>(configFile, csvAdapterConfigSchema)
  const logger = createLogger(`csv-adapter ${config.service}`)
  const file = relativeTo(configFile)(config.file)
  await using adapter = await startCsvAdapter({ ...config, file, logger })
  const { url, descriptionUrl } = adapter
  logger.info({ url, descriptionUrl }, 'csv adapter ready')
  logger.info({ signal: await stopSignal() }, 'csv adapter stopping')
})
