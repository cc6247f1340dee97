import type { Command } from 'commander'
import { createProgram } from '../../cli/program.ts'

const INTRODUCTION = `# The spean command

\`bin/spean\` in the project's folder; put a link to it on your PATH. It finds the programs by a profile: \`--profile FILE\`, else
the environment variable \`SPEAN_PROFILE\`, else \`.spean/spean.json\` in this folder or one above it. With several gateways in the
profile, name one: \`--gateway NAME\`, or \`SPEAN_GATEWAY\`.

Exit codes: 0 done, 1 refused or failed, 2 used wrongly. \`--json\` prints what a program can read. Below is what \`--help\` says.
`

/** docs/command.md, from what every command says about itself. */
export function commandPage(): string {
  return [INTRODUCTION, ...describe(createProgram(), [])].join('\n')
}

/** The section of a command, and those of the commands below it. */
function describe(command: Command, above: readonly string[]): string[] {
  const words = [...above, command.name()]
  const heading = `${'#'.repeat(Math.min(4, words.length + 1))} ${words.join(' ')}`
  return [
    `${heading}\n\n\`\`\`text\n${helpOf(command).trimEnd()}\n\`\`\`\n`,
    ...command.commands.flatMap((inner) => describe(inner, words)),
  ]
}

/** As in a pipe, whatever terminal this runs in. */
function helpOf(command: Command): string {
  let text = ''
  command.configureOutput({
    writeOut: (some) => void (text += some),
    getOutHasColors: () => false,
    getOutHelpWidth: () => 80,
  })
  command.outputHelp()
  return text
}
