/** Every way from a client to the service: straight, through two plain proxies, through two gateways. */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { sandboxFiles } from '../../examples/sandbox/config-files.ts'
import { sandboxPlan } from '../../examples/sandbox/plan.ts'
import { adminOf } from '../../examples/sandbox/provision.ts'
import { startSandbox } from '../../examples/sandbox/sandbox.ts'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { startProgram } from '../../runtime/child-program.ts'
import { RECORDS_DESCRIPTION } from './record.ts'

/** One way to the service, and the processes that stand in it. */
export interface Path {
  readonly name: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Process ids by what they are; the service is among them. */
  readonly processes: Readonly<Record<string, number>>
}
export interface Paths extends AsyncDisposable {
  readonly paths: readonly Path[]
}

const OFFSET = 32_000
const HERE = import.meta.dirname
const HOST = '127.0.0.1'
const SERVICE_PORT = 9100 + OFFSET
const PROXY_PORTS = { client: 9101 + OFFSET, provider: 9102 + OFFSET }
const INSTANCE = 'KH-DEV'
const CLIENT = `${INSTANCE}/COM/MEKONGBANK/KYC`
const SUBSYSTEM = ['GOV', 'NCDD', 'GAZETTEER'] as const
const PURPOSE = 'benchmark'

/** What a service of the benchmark differs in; the rest is as in production. */
const SERVICES = {
  everything: { validation: 'enforce', contract: true },
  granted: { validation: 'enforce', contract: false },
  reported: { validation: 'report', contract: false },
  unvalidated: { validation: 'off', contract: false },
} as const
type ServiceName = keyof typeof SERVICES
const LABELS: Record<ServiceName, string> = {
  everything: 'Spean: contract, validation enforced',
  granted: 'Spean: grant, validation enforced',
  reported: 'Spean: grant, validation reported',
  unvalidated: 'Spean: grant, no validation',
}

/** @param dir an empty folder for the sandbox: keys, logs, state. */
export async function openPaths(dir: string, progress: (text: string) => void): Promise<Paths> {
  await using opening = new AsyncDisposableStack()
  const start = async (name: string, args: readonly string[]): Promise<number> => {
    const [file = '', ...rest] = args
    const logFile = join(dir, 'logs', `${name}.log`)
    const program = await startProgram({ name, file: join(HERE, file), args: rest, logFile })
    return opening.use(program).pid
  }
  const data = join(HERE, '..', '..', 'examples', 'sandbox', 'data', 'provinces.csv')
  const whole = sandboxPlan({ dir, offset: OFFSET, data })
  // A third gateway would only take time from those that are measured
  const plan = { ...whole, gateways: whole.gateways.filter(({ name }) => name !== 'moi') }
  const sandbox = opening.use(await startSandbox(plan, { fresh: true, progress }))
  const pidOf = (name: string): number => sandbox.programs.find((p) => p.name === name)!.pid
  const files = sandboxFiles(dir)
  const service = await start('service', ['service.ts', String(SERVICE_PORT)])
  {
    await using catalogue = adminOf(plan, plan.cataloguePort, files.catalogue.token)
    const [bank, ncdd] = ['mekongbank', 'ncdd'].map((name) => {
      const { adminPort } = plan.gateways.find((gateway) => gateway.name === name)!
      return opening.use(adminOf(plan, adminPort, files.gateway(name).token))
    }) as [ApiClient, ApiClient]
    for (const name of Object.keys(SERVICES) as ServiceName[]) {
      await offer(name, { catalogue, bank, ncdd })
    }
  }
  const { httpPort } = plan.gateways.find((gateway) => gateway.httpPort !== 0)!
  const spean = (Object.keys(SERVICES) as ServiceName[]).map((name): Path => ({
    name: LABELS[name],
    url: `http://${HOST}:${httpPort}/r1/${[INSTANCE, ...SUBSYSTEM, name].join('/')}/`,
    headers: { 'x-road-client': CLIENT, 'spean-purpose': PURPOSE },
    processes: {
      'client gateway': pidOf('gateway-mekongbank'),
      'provider gateway': pidOf('gateway-ncdd'),
      service,
    },
  }))
  for (const path of spean) await passes(path)
  const serviceUrl = `http://${HOST}:${SERVICE_PORT}/`
  const proxies = await startProxies(start, { plan: files, serviceUrl })
  const resources = opening.move()
  return {
    paths: [
      { name: 'the service alone', url: serviceUrl, headers: {}, processes: { service } },
      {
        name: 'two plain mTLS proxies',
        url: `http://${HOST}:${PROXY_PORTS.client}/`,
        headers: {},
        processes: { ...proxies, service },
      },
      ...spean,
    ],
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  }
}

async function startProxies(
  start: (name: string, args: readonly string[]) => Promise<number>,
  { plan: files, serviceUrl }: { plan: ReturnType<typeof sandboxFiles>; serviceUrl: string },
): Promise<Readonly<Record<string, number>>> {
  const tlsOf = (name: string): string[] => {
    const { key, certificate } = files.gateway(name).authentication
    return [key, certificate, files.rootCertificate]
  }
  const { client, provider } = PROXY_PORTS
  const providerArgs = ['proxy.ts', 'provider', String(provider), serviceUrl, ...tlsOf('ncdd')]
  const next = `https://${HOST}:${provider}`
  const clientArgs = ['proxy.ts', 'client', String(client), next, ...tlsOf('mekongbank')]
  return {
    'provider proxy': await start('proxy-provider', providerArgs),
    'client proxy': await start('proxy-client', clientArgs),
  }
}

async function offer(
  name: ServiceName,
  { catalogue, bank, ncdd }: Record<'catalogue' | 'bank' | 'ncdd', ApiClient>,
): Promise<void> {
  const { validation, contract } = SERVICES[name]
  const path = apiPath('/admin/services', ...SUBSYSTEM, name)
  const service = [INSTANCE, ...SUBSYSTEM, name].join('/')
  const about = { title: name, description: RECORDS_DESCRIPTION, validation }
  await catalogue.call('PUT', path, about)
  await ncdd.call('PUT', path, { url: `http://${HOST}:${SERVICE_PORT}` })
  if (!contract)
    return void (await ncdd.call('POST', '/admin/grants', { subject: CLIENT, service }))
  const terms = {
    client: CLIENT,
    service,
    endpoints: [{ method: 'POST', path: '/' }],
    purposes: [PURPOSE],
    // Counted at each call, and never used up
    quota: { perSecond: 1_000_000, perDay: 1_000_000_000 },
    validUntil: '2999-01-01T00:00:00Z',
    reason: 'to be measured',
  }
  const asked = await until(() => bank.call<{ id: string }>('POST', '/admin/contracts', terms))
  await until(() => ncdd.call('POST', apiPath('/admin/contracts', asked.id, 'approve'), {}))
}

/** What needs the newest snapshot or the other gateway is tried again. */
async function until<T>(attempt: () => Promise<T>): Promise<T> {
  for (let left = PATIENCE; ; left -= 1) {
    try {
      return await attempt()
    } catch (error) {
      if (left === 0) throw error
    }
    await delay(100)
  }
}
const PATIENCE = 150

async function passes({ url, headers, name }: Path): Promise<void> {
  const body = JSON.stringify({ id: '20260101', places: [] })
  await until(async () => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body,
    })
    const text = await answer.text()
    if (answer.status !== 200) throw new TypeError(`${name}: ${text}`)
  })
}
