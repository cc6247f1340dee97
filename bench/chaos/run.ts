import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { sandboxFiles } from '../../examples/sandbox/config-files.ts'
import {
  HOST,
  sandboxPlan,
  type GatewayPlan,
  type SandboxPlan,
} from '../../examples/sandbox/plan.ts'
import { startSandbox } from '../../examples/sandbox/sandbox.ts'
import { readKeyFile } from '../../pki/keys.ts'
import { logOrigin } from '../../protocol/checkpoint.ts'
import { ConfigError } from '../../runtime/config.ts'
import { readGatewayId } from '../../protocol/identifiers.ts'
import { NOTE_TYPE, noteVerifier, type NoteVerifier } from '../../protocol/signed-note.ts'
import { createRandom } from '../../tests/fuzz/random.ts'
import { portOffset, PROVINCES } from '../../tests/support/sandbox.ts'
import { startLoad, type Load } from './load.ts'
import type { ChaosStore } from './store.ts'
import { verifyAsCommand, verifyLog } from './verify.ts'
import { createVictim, type Victim } from './victims.ts'
import { watchLog, type Watch } from './watch.ts'

export interface ChaosOptions {
  /** Everything of the run is kept here. */
  readonly dir: string
  readonly kills: number
  /** Decides who is killed when, as far as a run can be repeated. */
  readonly seed: number
  readonly store: ChaosStore
  readonly report: (line: string) => void
}

/** Both are killed: the one that information systems call, and the one that serves. */
export const VICTIMS = ['mekongbank', 'ncdd']
const PROGRESS_MS = 10_000
/** For all that was recorded to be in the tree, once nobody calls any more. */
const SETTLE_MS = 3000
/** A kill comes after so many answers at most. */
const MOST_ANSWERS = 30
/** And then so much later at most. */
const MOMENT_MS = 60
/** One of so many times both gateways are killed. */
const BOTH = 3
/** For exchanges to be answered again. */
const BACK_MS = 60_000

/** @returns what is wrong, in sentences. @throws ConfigError when a program does not start. */
export async function runChaos({
  dir,
  kills,
  seed,
  store,
  report,
}: ChaosOptions): Promise<string[]> {
  const plan = await planIn(join(dir, 'instance'), store)
  const gateways = plan.gateways.filter(({ name }) => VICTIMS.includes(name))
  const { answered, watches } = await killUnderLoad(plan, { gateways, kills, seed, report })
  const findings: string[] = []
  for (const gateway of gateways) {
    const folder = join(sandboxFiles(plan.dir).gateway(gateway.name).folder, 'state')
    const verifier = verifierOf(plan, gateway, folder)
    const seen = watches.get(gateway.name)!.notes
    const results = []
    {
      await using stores = await store.open(gateway.name, folder)
      results.push(await verifyLog({ stores, verifier, answered, seen }))
    }
    await using source = await store.source(gateway.name, folder)
    results.push(await verifyAsCommand(source, verifier, seen))
    for (const result of results) {
      findings.push(...result.findings.map((finding) => `${gateway.name}: ${finding}`))
      if (result.records !== results[0]!.records) {
        findings.push(
          `${gateway.name}: ${results.map(({ records }) => records).join(' or ')} records`,
        )
      }
    }
    if (seen.size === 0) findings.push(`${gateway.name}: nobody saw a checkpoint`)
    const { records } = results[0]!
    report(`${gateway.name}: ${records} records, ${seen.size} checkpoints were seen`)
  }
  return findings
}

interface Run {
  readonly gateways: readonly GatewayPlan[]
  readonly kills: number
  readonly seed: number
  readonly report: (line: string) => void
}

async function killUnderLoad(
  plan: SandboxPlan,
  { gateways, kills, seed, report }: Run,
): Promise<{ answered: readonly string[]; watches: Map<string, Watch> }> {
  const files = sandboxFiles(plan.dir)
  await using sandbox = await startSandbox(plan, { fresh: true, progress: () => undefined })
  report('the federation runs')
  await using scope = new AsyncDisposableStack()
  const victims = gateways.map(({ name }) => {
    const program = sandbox.programs.find((candidate) => candidate.name === `gateway-${name}`)!
    const logDir = join(plan.dir, 'logs')
    const cacheDir = join(plan.dir, 'compile-cache')
    const configFile = files.gateway(name).config
    return scope.use(createVictim({ name, configFile, logDir, cacheDir, program }))
  })
  const ca = readFileSync(files.rootCertificate, 'utf8')
  const watches = new Map(
    gateways.map(({ name, transparencyPort }) => [
      name,
      watchLog(`https://${HOST}:${transparencyPort}`, ca),
    ]),
  )
  const load = startLoad({ ...callsOf(plan), random: createRandom(seed, 'load') })
  await killAll(victims, { kills, seed, report, load })
  await load.stop()
  await delay(SETTLE_MS)
  for (const watch of watches.values()) await watch.stop()
  return { answered: load.answered, watches }
}

/** One after the other, now and then both; each when exchanges are under way. */
async function killAll(
  victims: readonly Victim[],
  { kills, seed, report, load }: Omit<Run, 'gateways'> & { readonly load: Load },
): Promise<void> {
  const random = createRandom(seed, 'kills')
  const begun = performance.now()
  let printed = begun
  let cutCalls = 0
  for (let done = 0; done < kills;) {
    await answeredMore(load, 1 + random.below(MOST_ANSWERS))
    await delay(random.below(MOMENT_MS))
    const chosen = random.below(BOTH) === 0 ? victims : [random.pick(victims)]
    cutCalls += load.underWay
    const counts = await Promise.all(chosen.map((victim) => victim.kill(random)))
    for (const count of counts) done += count
    const now = performance.now()
    if (now - printed < PROGRESS_MS && done < kills) continue
    printed = now
    const seconds = String(Math.round((now - begun) / 1000)).padStart(5)
    report(
      `${seconds} s  ${Math.min(done, kills)}/${kills} kills, ` +
        `${load.answered.length} exchanges answered, ${load.failed} not`,
    )
  }
  await answeredMore(load, MOST_ANSWERS)
  if (cutCalls === 0)
    throw new ConfigError('no exchange was ever under way when a gateway was killed')
  const starts = victims.flatMap(({ startsMs }) => startsMs).sort((a, b) => a - b)
  const median = starts[Math.floor(starts.length / 2)]!
  report(`${cutCalls} exchanges were cut; a start took ${Math.round(median)} ms at the median`)
}

/** @throws ConfigError when a gateway does not come back to work. */
async function answeredMore(load: Load, count: number): Promise<void> {
  const before = load.answered.length
  const until = performance.now() + BACK_MS
  while (load.answered.length < before + count) {
    if (performance.now() > until) {
      throw new ConfigError(`no exchange was answered for ${BACK_MS / 1000} s after a kill`)
    }
    await delay(5)
  }
}

async function planIn(dir: string, store: ChaosStore): Promise<SandboxPlan> {
  const plan = sandboxPlan({ dir, offset: await portOffset(), data: PROVINCES })
  const gateways = plan.gateways.map((one) => ({ ...one, ...store.configOf(one.name) }))
  return { ...plan, gateways }
}

function callsOf({ instance, gateways }: SandboxPlan): { urls: string[]; client: string } {
  const bank = gateways.find(({ httpPort }) => httpPort !== 0)!
  const base = `http://${HOST}:${bank.httpPort}/r1/${instance}/GOV/NCDD/GAZETTEER/places`
  const urls = Array.from({ length: 25 }, (_, i) => `${base}/${String(i + 1).padStart(2, '0')}`)
  return { urls, client: `${instance}/${bank.memberClass}/${bank.member}/${bank.subsystem}` }
}

function verifierOf(
  { instance }: SandboxPlan,
  { memberClass, member, gateway }: GatewayPlan,
  stateDir: string,
): NoteVerifier {
  const { publicKey } = readKeyFile(join(stateDir, 'log.key'))
  const id = readGatewayId(`${instance}/${memberClass}/${member}/${gateway}`)
  return noteVerifier(logOrigin(id), publicKey, NOTE_TYPE.ed25519)
}
