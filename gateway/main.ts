/** The gateway program: node gateway/main.ts CONFIGFILE */
import { createLogger } from '../runtime/logger.ts'
import { runMain, stopSignal } from '../runtime/lifecycle.ts'
import { readGatewayConfig } from './config.ts'
import { startGateway } from './server.ts'

await runMain(async () => {
  const config = readGatewayConfig(process.argv[2] ?? 'gateway.json')
  const logger = createLogger(`gateway ${config.gatewayId}`)
  await using gateway = await startGateway(config, { logger })
  logger.info(gateway.ports, 'gateway ready')
  logger.info({ signal: await stopSignal() }, 'gateway stopping')
})
