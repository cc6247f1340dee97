/**
 * A country of 10,000 services, and a provider's gateway with 100,000 grants and 100,000 contracts: how fast a
 * gateway starts and finds, how fast a change reaches all, and what it takes of memory and network:
 * npm run bench:scale -- [--gateways 5] [--changes 10] [--keep] [--json]
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { cpus, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { ApiClient } from '../runtime/api-client.ts'
import type { ChildProgram } from '../runtime/child-program.ts'
import type { Snapshot } from '../protocol/snapshot.ts'
import { gatewayCode, memberCode, subsystemIds } from './scale/country.ts'
import {
  catalogueAdmin,
  gatewayAdmin,
  install,
  startCatalogueProgram,
  startGatewayProgram,
  type Installed,
} from './scale/federation.ts'
import { fillContracts, fillGrants } from './scale/grants.ts'
import type { LookUps } from './scale/lookups.ts'

const { values } = parseArgs({
  options: {
    gateways: { type: 'string', default: '5' },
    changes: { type: 'string', default: '10' },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const say = (text: string): void => void process.stderr.write(`${text}\n`)
const seconds = (ms: number): number => Math.round(ms) / 1000

interface Memory {
  /** Resident, in megabytes, and the most so far (proc_pid_status(5), VmRSS and VmHWM). */
  readonly rss: number
  readonly peak: number
}
function memoryOf({ pid }: ChildProgram): Memory {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const of = (field: string): number =>
    Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(status)?.[1]) / 1000)
  return { rss: of('VmRSS'), peak: of('VmHWM') }
}

/** Bytes that the loopback interface has carried so far, for every process of this network namespace. */
function loopbackBytes(): number {
  const line = readFileSync('/proc/net/dev', 'utf8')
    .split('\n')
    .find((l) => /^\s*lo:/.test(l))
  return Number(line?.split(':')[1]?.trim().split(/\s+/)[0])
}

interface GatewayStart {
  readonly secondsToReady: number
  readonly program: ChildProgram
  readonly admin: ApiClient
}
/** Until `/status` of the admin port answers. */
async function startTimed(
  installed: Installed,
  gateway: Installed['gateways'][number],
): Promise<GatewayStart> {
  const begun = performance.now()
  const program = await startGatewayProgram(installed, gateway.member)
  const admin = gatewayAdmin(installed, gateway)
  await admin.call('GET', '/status')
  return { secondsToReady: seconds(performance.now() - begun), program, admin }
}

const snapshotOf = async (admin: ApiClient): Promise<number> =>
  (await admin.call<{ snapshot?: { number: number } }>('GET', '/admin/status')).snapshot?.number ??
  0

interface Spread {
  /** From the question to the catalogue to its answer, and until the last gateway has the snapshot. */
  readonly answered: number
  readonly everywhere: number
  readonly bytes: number
}
async function change(
  admin: ApiClient,
  gateways: readonly ApiClient[],
  n: number,
): Promise<Spread> {
  const before = loopbackBytes()
  const begun = performance.now()
  const path = `/admin/members/GOV/${memberCode(n)}`
  await admin.call('PUT', path, { name: `Ministry ${n}, renamed ${begun}` })
  const answered = seconds(performance.now() - begun)
  const { snapshotNumber } = await admin.call<{ snapshotNumber: number }>('GET', '/status')
  const waiting = gateways.map(async (gateway) => {
    while ((await snapshotOf(gateway)) < snapshotNumber) await delay(50)
  })
  await Promise.all(waiting)
  const everywhere = seconds(performance.now() - begun)
  return { answered, everywhere, bytes: loopbackBytes() - before }
}

/** In a process of its own, so that nothing of this one is in its way. */
function lookUps(stateDir: string): LookUps {
  const [, payload = ''] = readFileSync(join(stateDir, 'catalogue', 'snapshot.jws'), 'ascii').split(
    '.',
  )
  const script = `
    import { measureLookUps } from ${JSON.stringify(join(import.meta.dirname, 'scale', 'lookups.ts'))}
    import { readFileSync } from 'node:fs'
    const snapshot = JSON.parse(readFileSync(0, 'utf8'))
    console.log(JSON.stringify(measureLookUps(${JSON.stringify(stateDir)}, snapshot)))`
  const input = Buffer.from(payload, 'base64url')
  const options = { input, encoding: 'utf8', maxBuffer: 1e6 } as const
  const out = execFileSync(process.execPath, ['--input-type=module', '-e', script], options)
  return JSON.parse(out.trim().split('\n').at(-1)!) as LookUps
}

const dir = mkdtempSync(join(tmpdir(), 'spean-scale-'))
try {
  await using resources = new AsyncDisposableStack()
  const installed = await install(dir, Number(values.gateways), say)
  resources.use(installed.authority)
  const state = join(dir, gatewayCode(0), 'state')
  say('grants and contracts, each signed by both members')
  const grants = fillGrants(join(state, 'settings.db'))
  const signers = new Map(
    installed.signing.map(({ certificate, keys }, member) => [
      subsystemIds(member)[0]!.split('/', 3).join('/'),
      { certificate, privateKey: keys.privateKey },
    ]),
  )
  const contracts = fillContracts(join(state, 'contracts.db'), (member) => signers.get(member)!)

  say('catalogue starts')
  let begun = performance.now()
  const catalogue = resources.use(await startCatalogueProgram(installed))
  const catalogueStart = seconds(performance.now() - begun)
  const admin = resources.use(catalogueAdmin(installed))

  say('gateways start, and fetch the snapshot')
  const started: GatewayStart[] = []
  for (const gateway of installed.gateways) {
    const start = await startTimed(installed, gateway)
    resources.use(start.program)
    resources.use(start.admin)
    started.push(start)
  }
  const fetched = started.map(({ secondsToReady }) => secondsToReady)
  say('the provider’s gateway starts again, with the snapshot on disk')
  await started[0]!.program[Symbol.asyncDispose]()
  const again = await startTimed(installed, installed.gateways[0]!)
  resources.use(again.program)
  resources.use(again.admin)
  started[0] = again
  await delay(5000)
  const atRest = started.map(({ program }) => memoryOf(program))
  const catalogueAtRest = memoryOf(catalogue)

  const spread: Spread[] = []
  for (let n = 0; n < Number(values.changes); n++) {
    spread.push(
      await change(
        admin,
        started.map((s) => s.admin),
        n,
      ),
    )
    say(`change ${n + 1}: ${JSON.stringify(spread.at(-1))}`)
  }
  begun = performance.now()
  const many = Array.from({ length: 10 }, async (_, caller) => {
    for (let i = 0; i < 5; i++) {
      const path = `/admin/members/GOV/${memberCode(caller * 5 + i)}`
      await admin.call('PUT', path, { name: `Together ${caller}.${i}` })
    }
  })
  await Promise.all(many)
  const { snapshotNumber } = await admin.call<{ snapshotNumber: number }>('GET', '/status')
  const fiftyTogether = seconds(performance.now() - begun)
  await delay(15_000)
  const later = started.map(({ program }) => memoryOf(program))
  say('look-ups')
  const snapshotFile = join(state, 'catalogue', 'snapshot.jws')
  const found = lookUps(state)
  const payload = readFileSync(snapshotFile, 'ascii').split('.')[1]!
  const { members } = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Snapshot
  const services = members.flatMap(({ subsystems }) => subsystems.flatMap((s) => s.services))
  print({
    machine: `${cpus().length} × ${cpus()[0]?.model}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`,
    ...{ services: services.length, members: members.length, grants, contracts },
    snapshotBytes: statSync(snapshotFile).size,
    catalogueDatabaseMegabytes: Math.round(
      statSync(join(dir, 'catalogue', 'state', 'catalogue.db')).size / 1e6,
    ),
    secondsOfStart: {
      catalogue: catalogueStart,
      fetching: fetched,
      fromDisk: again.secondsToReady,
    },
    microsecondsOfLookUp: found,
    changes: spread,
    fiftyChangesOfTenCallers: {
      seconds: fiftyTogether,
      snapshots: snapshotNumber - 2 - spread.length,
    },
    megabytes: {
      gatewaysAtRest: atRest,
      gatewaysAfterChanges: later,
      catalogue: { atRest: catalogueAtRest, afterChanges: memoryOf(catalogue) },
    },
  })
} finally {
  if (values.keep) say(`kept: ${dir}`)
  else rmSync(dir, { recursive: true, force: true })
}

function print(figures: Record<string, unknown>): void {
  if (!values.json) {
    for (const [name, value] of Object.entries(figures)) {
      say(`${name.padEnd(28)} ${JSON.stringify(value)}`)
    }
  }
  if (values.json) process.stdout.write(`${JSON.stringify(figures, undefined, 2)}\n`)
}
