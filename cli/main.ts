/** The spean command. Exit codes: 0 done, 1 refused or failed, 2 used wrongly. */
import { Command, CommanderError } from 'commander'
import { errorEntry, ExchangeError } from '../protocol/errors.ts'
import { ApiError } from '../runtime/api-client.ts'
import { ConfigError } from '../runtime/config.ts'
import { addAdapterCommands } from './commands/adapter.ts'
import { addAuditorCommands } from './commands/auditor.ts'
import { addCaCommands } from './commands/ca.ts'
import { addCatalogueCommands } from './commands/catalogue.ts'
import { addCertCommands } from './commands/cert.ts'
import { addEnrollCommand } from './commands/enroll.ts'
import { addEvidenceCommands } from './commands/evidence.ts'
import { addGatewayCommands } from './commands/gateway.ts'
import { addIdentityProviderCommands } from './commands/identity-provider.ts'
import { addLogCommands } from './commands/log.ts'
import { addStatusCommand } from './commands/status.ts'
import { addStopCommands } from './commands/stop.ts'
import { addTrustServiceCommands } from './commands/trust-services.ts'
import { addWitnessCommands } from './commands/witnesses.ts'

const program = new Command('spean')
  .description(
    'Administers a Spean instance: its authority, its catalogue, its gateways, their logs.',
  )
  .version('0.1.0')
  .option('--profile <file>', 'where the programs are; else SPEAN_PROFILE, else .spean/spean.json')
  .option('--json', 'print JSON instead of tables')
  .showHelpAfterError('(add --help for usage)')
  .exitOverride()
addStatusCommand(program)
addEnrollCommand(program)
addLogCommands(program)
addAuditorCommands(program)
addEvidenceCommands(program)
addCatalogueCommands(program)
addGatewayCommands(program)
addAdapterCommands(program)
addTrustServiceCommands(program)
addWitnessCommands(program)
addStopCommands(program)
addIdentityProviderCommands(program)
addCertCommands(program)
addCaCommands(program)

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : 2
  } else if (error instanceof ExchangeError) {
    console.error(`refused (${error.code}): ${error.message}\n${errorEntry(error.code).remedy}`)
    process.exitCode = 1
  } else if (error instanceof ConfigError || error instanceof ApiError) {
    console.error(error.message)
    process.exitCode = error instanceof ConfigError ? 2 : 1
  } else {
    console.error(error)
    process.exitCode = 1
  }
}
