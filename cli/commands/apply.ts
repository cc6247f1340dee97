import { createInterface } from 'node:readline/promises'
import type { Command } from 'commander'
import type { ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { ApplyError } from '../apply/faults.ts'
import { carryOut, waitForSnapshot, type Execution } from '../apply/execute.ts'
import { exportState } from '../apply/export.ts'
import { makePlan, type Plan } from '../apply/plan.ts'
import { planAsJson, printPlan } from '../apply/print-plan.ts'
import type { Caller, Target } from '../apply/step.ts'
import { readWanted, type Wanted } from '../apply/wanted.ts'
import { isJson, profileOf } from '../context.ts'
import { printJson, printLine } from '../output.ts'

interface Options {
  readonly file: string[]
  readonly prune?: boolean
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly reason: string
}

/** What `spean diff` and `--dry-run` end with when something differs: no failure, and no wrong use of the command. */
const DIFFERS = 3

const FILES = [
  '-f, --file <path...>',
  'YAML or JSON: files, folders of them, or - for standard input',
] as const

/** `spean apply`, `diff` and `export`: the whole state of an instance as files (docs/declarative.md). */
export function addApplyCommands(program: Command): void {
  program
    .command('apply')
    .description(
      'makes catalogue and gateways what files say; shows the differences and asks first',
    )
    .requiredOption(...FILES)
    .option('--prune', 'delete what no file names, in the sections that files name')
    .option('--dry-run', 'only show the differences; ends with 3 when there are some')
    .option('-y, --yes', 'do not ask; needed where there is no terminal')
    .option('--reason <text>', 'told to the operator with what needs approval', 'spean apply')
    .action(async (options: Options, command: Command) => {
      await run(command, options, options.dryRun !== true)
    })
  program
    .command('diff')
    .description('what apply would change; ends with 0 when nothing differs, 3 when something does')
    .requiredOption(...FILES)
    .option('--prune', 'also what no file names, in the sections that files name')
    .action(async (options: Options, command: Command) => {
      await run(command, options, false)
    })
  program
    .command('export')
    .description('writes the present state as a file that apply takes')
    .option('-o, --output <file>', 'where to; else standard output')
    .option('-g, --gateway [names...]', 'with what gateways keep: these of the profile, or all')
    .option('--only <section...>', 'these sections of the catalogue alone')
    .action(async (options: ExportOptions, command: Command) => {
      await exportState(profileOf(command), options)
    })
}

type ExportOptions = Parameters<typeof exportState>[1]

async function run(command: Command, options: Options, isApplied: boolean): Promise<void> {
  const profile = profileOf(command)
  const wanted = await readWanted(options.file, profile)
  await using opened = new AsyncDisposableStack()
  const targets = await openTargets(profile, wanted, opened)
  const { documents } = wanted
  const plan = await makePlan(targets, { prune: options.prune === true, documents })
  if (!isApplied) {
    if (isJson(command)) printJson(planAsJson(plan))
    else printPlan(plan, process.stdout.isTTY)
    if (plan.steps.length > 0) process.exitCode = DIFFERS
    return
  }
  if (isJson(command)) printJson(planAsJson(plan))
  else printPlan(plan, process.stdout.isTTY)
  if (!plan.steps.some(({ waitingFor }) => waitingFor === undefined)) return
  if (options.yes !== true) await confirm()
  // With --json standard output is one document
  const tell = isJson(command) ? (line: string) => console.error(line) : printLine
  await apply(plan, targets, { documents, reason: options.reason, tell })
}

async function confirm(): Promise<void> {
  if (!process.stdin.isTTY || !process.stdout.isTTY) {
    throw new ConfigError('nobody can be asked here: add --yes, or --dry-run to look only')
  }
  const lines = createInterface({ input: process.stdin, output: process.stdout })
  try {
    const answer = await lines.question('apply? Only yes is taken: ')
    if (answer.trim() !== 'yes') throw new ApplyError('nothing was changed')
  } finally {
    lines.close()
  }
}

/** The catalogue first; gateways when they have heard of it. Deletes the other way round. */
async function apply(
  { steps }: Plan,
  targets: readonly Target[],
  execution: Execution,
): Promise<void> {
  const catalogue = targets.find(({ isCatalogue }) => isCatalogue)
  const number = async (): Promise<number> =>
    (await catalogue?.api.call<{ snapshotNumber: number }>('GET', '/status'))?.snapshotNumber ?? 0
  const gateways = targets.filter(({ isCatalogue }) => !isCatalogue)
  await carryOut(steps, {
    ...execution,
    beforeGateways: async () => {
      const newest = await number()
      for (const gateway of gateways) await waitForSnapshot(gateway, newest)
    },
  })
  if (catalogue) execution.tell(`snapshot ${await number()}`)
}

async function openTargets(
  profile: ReturnType<typeof profileOf>,
  wanted: Wanted,
  opened: AsyncDisposableStack,
): Promise<Target[]> {
  const targets: Target[] = []
  if (wanted.catalogue.length > 0) {
    const ours = new Set<number>()
    const onChange = (position: number): void => void ours.add(position)
    const api = opened.use(profile.catalogue({ onChange }))
    const caller = await readCaller(api)
    const sections = wanted.catalogue
    targets.push({ label: 'catalogue', isCatalogue: true, ours, api, caller, sections })
  }
  for (const [name, sections] of wanted.gateways) {
    const api = opened.use(profile.gateway(name))
    const label = `gateway ${name}`
    targets.push({ label, isCatalogue: false, api, caller: { role: 'admin' }, sections })
  }
  return targets
}

const readCaller = (api: ApiClient): Promise<Caller> => api.call<Caller>('GET', '/admin/whoami')
