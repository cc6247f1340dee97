import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

const INTRODUCTION = `# The spean command

\`bin/spean\` in the project's folder; put a link to it on your PATH. It finds the programs by a profile: \`--profile FILE\`, else
the environment variable \`SPEAN_PROFILE\`, else \`.spean/spean.json\` in this folder or one above it. With several gateways in the
profile, name one: \`--gateway NAME\`, or \`SPEAN_GATEWAY\`.

Exit codes: 0 done, 1 refused or failed, 2 used wrongly. \`--json\` prints what a program can read. Below is what \`--help\` says.
`

/** docs/command.md, from what every command says about itself. */
export async function commandPage(root: string): Promise<string> {
  const sections = await describe(join(root, 'cli', 'main.ts'), [])
  return [INTRODUCTION, ...sections].join('\n')
}

/** The section of a command, and those of the commands below it. */
async function describe(program: string, words: readonly string[]): Promise<string[]> {
  const env = { ...process.env, NO_COLOR: '1' }
  const { stdout } = await run(process.execPath, [program, ...words, '--help'], { env })
  const names = subcommands(stdout)
  const inner: string[][] = []
  // A few at a time: each is a process.
  while (names.length > 0) {
    const some = names.splice(0, 3)
    inner.push(...(await Promise.all(some.map((name) => describe(program, [...words, name])))))
  }
  const heading = `${'#'.repeat(Math.min(4, words.length + 2))} ${['spean', ...words].join(' ')}`
  return [`${heading}\n\n\`\`\`text\n${stdout.trimEnd()}\n\`\`\`\n`, ...inner.flat()]
}

function subcommands(help: string): string[] {
  const [, list = ''] = help.split('\nCommands:\n')
  const names = [...list.matchAll(/^ {2}([a-z][a-z0-9-]*)/gm)].map((match) => match[1]!)
  return names.filter((name) => name !== 'help')
}
