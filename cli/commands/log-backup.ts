import type { Command } from 'commander'
import { backUpLog, LOG_DATABASES } from '../../exchange-log/backup.ts'
import { printJson, printLine } from '../output.ts'

/** `spean log backup`. */
export function addBackupCommand(log: Command): void {
  log
    .command('backup <folder> <target>')
    .description(
      'copies the databases of a log (a stateDir) into a new folder, also while it is written',
    )
    .action((folder: string, target: string, _options: object, command: Command) => {
      backUpLog(folder, target, (name) => process.stderr.write(`${name} is copied\n`))
      if (command.optsWithGlobals<{ json?: boolean }>().json === true) {
        printJson({ target, files: LOG_DATABASES })
      } else printLine(`check it: spean log verify ${target} --log-key VKEY`)
    })
}
