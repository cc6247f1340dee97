import { Command } from 'commander'
import { addAdapterCommands } from './commands/adapter.ts'
import { addApplyCommands } from './commands/apply.ts'
import { addAuditorCommands } from './commands/auditor.ts'
import { addCaCommands } from './commands/ca.ts'
import { addCatalogueAccessCommands } from './commands/catalogue-access.ts'
import { addCatalogueCommands } from './commands/catalogue.ts'
import { addCertCommands } from './commands/cert.ts'
import { addContractCommands } from './commands/contract.ts'
import { addEnrollCommand } from './commands/enroll.ts'
import { addExplainCommand } from './commands/explain.ts'
import { addEvidenceCommands } from './commands/evidence.ts'
import { addGatewayCommands } from './commands/gateway.ts'
import { addIdentityProviderCommands } from './commands/identity-provider.ts'
import { addLogCommands } from './commands/log.ts'
import { addMoreCommands } from './commands/more-reading.ts'
import { addStatusCommand } from './commands/status.ts'
import { addStopCommands } from './commands/stop.ts'
import { addTrustServiceCommands } from './commands/trust-services.ts'
import { addWitnessCommands } from './commands/witnesses.ts'

/** The spean command with all that is below it; nothing has run yet. */
export function createProgram(): Command {
  const program = new Command('spean')
    .description(
      'Administers a Spean instance: its authority, its catalogue, its gateways, their logs.',
    )
    .version('0.1.0')
    .option(
      '--profile <file>',
      'where the programs are; else SPEAN_PROFILE, else .spean/spean.json',
    )
    .option('--json', 'print JSON instead of tables')
    .showHelpAfterError('(add --help for usage)')
    .exitOverride()
  addStatusCommand(program)
  addExplainCommand(program)
  addEnrollCommand(program)
  addApplyCommands(program)
  addLogCommands(program)
  addAuditorCommands(program)
  addEvidenceCommands(program)
  addCatalogueCommands(program)
  addCatalogueAccessCommands(program)
  addGatewayCommands(program)
  addIdentityProviderCommands(program)
  addContractCommands(program)
  addStopCommands(program)
  addAdapterCommands(program)
  addTrustServiceCommands(program)
  addWitnessCommands(program)
  addCertCommands(program)
  addCaCommands(program)
  addMoreCommands(program)
  return program
}
