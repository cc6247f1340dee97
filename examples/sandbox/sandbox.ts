import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { startProgram, type ChildProgram } from '../../runtime/child-program.ts'
import { ConfigError } from '../../runtime/config.ts'
import { sandboxFiles, writeConfigFiles } from './config-files.ts'
import { writePeopleCsv } from './people.ts'
import { HOST, PEOPLE, type SandboxPlan } from './plan.ts'
import {
  provisionCatalogue,
  provisionCertificates,
  provisionServices,
  provisionWitnesses,
  settled,
} from './provision.ts'
import { clearLeftovers, noteRunning, noteStopped } from './running.ts'

export interface Sandbox extends AsyncDisposable {
  /** What a newcomer reads first: a line that begins with `ready`, and a call that works. */
  readonly welcome: string
  readonly programs: readonly ChildProgram[]
}

const ROOT = join(import.meta.dirname, '..', '..')

export interface StartOptions {
  readonly fresh: boolean
  readonly progress: (text: string) => void
  /** Gives the start up; what runs already is stopped. */
  readonly signal?: AbortSignal
}

/**
 * Makes what is missing of an instance and starts it: every program from its own `main.ts` with its own
 * configuration file, as in production.
 *
 * @param progress is told of each program that starts, and of one that ends although nobody stopped it.
 * @throws ConfigError when a program does not start.
 */
export async function startSandbox(
  plan: SandboxPlan,
  { fresh, progress, signal }: StartOptions,
): Promise<Sandbox> {
  const begun = performance.now()
  const { dir } = plan
  await clearLeftovers(dir)
  if (fresh) startOver(dir)
  const files = sandboxFiles(dir)
  writeConfigFiles(plan)
  const people = join(dir, 'registers', 'persons.csv')
  if (!existsSync(people)) writePeopleCsv(people, PEOPLE)

  await using starting = new AsyncDisposableStack()
  const programs: ChildProgram[] = []
  const pids: number[] = []
  starting.defer(() => noteStopped(dir))
  const start = async (name: string, file: string, config: string): Promise<void> => {
    const env = { NODE_COMPILE_CACHE: join(dir, 'compile-cache') }
    const logFile = join(dir, 'logs', `${name}.log`)
    const options = { name, file: join(ROOT, file), args: [config], logFile, env }
    const onSpawn = (pid: number): void => {
      pids.push(pid)
      noteRunning(dir, pids)
    }
    const child = await startProgram({ ...options, onSpawn, ...(signal ? { signal } : {}) })
    programs.push(starting.use(child))
    progress(`  ${name} runs (${file})`)
  }

  progress(`instance ${plan.instance} in ${dir}`)
  const registers = plan.gateways.flatMap(({ register }) => (register ? [register] : []))
  await all([
    start('authority', 'pki/authority/main.ts', files.authority.config),
    ...registers.map(({ service }) =>
      start(`register-${service}`, 'adapters/csv/main.ts', files.register(service)),
    ),
  ])
  await provisionCertificates(plan)
  signal?.throwIfAborted()
  await start('catalogue', 'service-catalogue/main.ts', files.catalogue.config)
  await provisionCatalogue(plan)
  signal?.throwIfAborted()
  await all(
    plan.gateways.map(({ name }) =>
      start(`gateway-${name}`, 'gateway/main.ts', files.gateway(name).config),
    ),
  )
  await provisionServices(plan)
  await provisionWitnesses(plan)
  signal?.throwIfAborted()
  await settled(plan)
  const call = await firstCall(plan)

  let stopping = false
  for (const { name, ended, logFile } of programs) {
    void ended.then(() => {
      if (!stopping) progress(`${name} has ended (its log: ${logFile}); the others go on`)
    })
  }
  const seconds = ((performance.now() - begun) / 1000).toFixed(1)
  const running = starting.move()
  return {
    welcome: welcome(plan, call, seconds),
    programs,
    [Symbol.asyncDispose]: async () => {
      stopping = true
      await running.disposeAsync()
    },
  }
}

/** @throws ConfigError for a folder that is no sandbox: it may hold somebody's work. */
function startOver(dir: string): void {
  if (!existsSync(dir)) return
  if (readdirSync(dir).length > 0 && !existsSync(sandboxFiles(dir).profile)) {
    throw new ConfigError(`${dir} holds something else than a sandbox; it is left as it is`)
  }
  rmSync(dir, { recursive: true })
}

/** Waits for all, and only then says what failed: what still starts must be known, to be stopped. */
async function all(starts: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(starts)).find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}

interface Call {
  readonly client: string
  readonly url: string
  readonly exchangeId: string
}

/** Makes the call that will be printed: it is not ready before that works. */
async function firstCall(plan: SandboxPlan): Promise<Call> {
  const bank = plan.gateways.find(({ httpPort }) => httpPort !== 0)!
  const provider = plan.gateways.find(({ name }) => name === 'ncdd')!
  const { instance } = plan
  const client = `${instance}/${bank.memberClass}/${bank.member}/${bank.subsystem}`
  const subsystem = `${provider.memberClass}/${provider.member}/${provider.subsystem}`
  const url = `http://${HOST}:${bank.httpPort}/r1/${instance}/${subsystem}/${provider.register?.service}`
  const answer = await fetch(`${url}?limit=1`, { headers: { 'x-road-client': client } })
  const text = await answer.text()
  if (!answer.ok) {
    throw new ConfigError(
      `the first call was refused: ${text}\nIf that is no wonder after what was tried out: npm start -- --fresh begins anew.`,
    )
  }
  const [row] = (JSON.parse(text) as { items: Record<string, string>[] }).items
  const key = provider.register?.key ?? (row && 'code' in row ? 'code' : Object.keys(row ?? {})[0])
  const value = row && key !== undefined ? row[key] : undefined
  return {
    client,
    url: value === undefined ? url : `${url}/${encodeURIComponent(value)}`,
    exchangeId: answer.headers.get('x-road-request-id')!,
  }
}

function welcome(plan: SandboxPlan, { client, url, exchangeId }: Call, seconds: string): string {
  const bank = plan.gateways.find(({ httpsPort }) => httpsPort !== 0)!
  const files = sandboxFiles(plan.dir)
  const usual = plan.dir === join(ROOT, '.spean')
  const evidence = join(plan.dir, 'evidence.zip')
  const spean = usual ? 'bin/spean' : `bin/spean --profile ${files.profile}`
  return `
ready in ${seconds} s. Call a register of another member, through two gateways:

  curl -H 'X-Road-Client: ${client}' ${url}

What both sides recorded of it, signed:

  ${spean} log list --gateway mekongbank
  ${spean} log list --gateway ncdd

What proves a call to anybody, in one file; how to check it without us is in its VERIFY.md:

  ${spean} evidence get ${exchangeId} --gateway ncdd --out ${evidence}
  ${spean} evidence verify ${evidence} --anchor ${files.rootCertificate}

The same call by mutual TLS, as in production:

  curl --cacert ${files.rootCertificate} --cert ${files.informationSystem.certificate} --key ${files.informationSystem.key} \\
    -H 'X-Road-Client: ${client}' ${url.replace(/^http:/, 'https:').replace(/:\d+\//, `:${bank.httpsPort}/`)}

The newest checkpoint of a log, as anybody may read it (docs/exchange-log-tree.md):

  curl --cacert ${files.rootCertificate} https://${HOST}:${bank.transparencyPort}/log/checkpoint

Everything is kept in ${plan.dir}; Ctrl-C stops it.`
}
