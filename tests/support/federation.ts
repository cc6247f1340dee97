/**
 * A whole federation in this process: authority, catalogue, a client's and a provider's gateway, and a
 * register, each started by the function that its `main.ts` calls, on ports of their own.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { GatewayConfig } from '../../gateway/config.ts'
import type { StoredRecord } from '../../exchange-log/record.ts'
import { startGateway, type RunningGateway } from '../../gateway/server.ts'
import type { AuthorityConfig } from '../../pki/authority/config.ts'
import { startAuthority, type RunningAuthority } from '../../pki/authority/server.ts'
import type { KeyKind } from '../../pki/keys.ts'
import { apiPath, createApiClient, type ApiClient } from '../../runtime/api-client.ts'
import { createLogger, type Logger } from '../../runtime/logger.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import type { CatalogueConfig } from '../../service-catalogue/config.ts'
import type { Catalogue } from '../../service-catalogue/server.ts'
import { authorityConfig } from './authority.ts'
import { obtain, type Credentials } from './certificates.ts'
import { shiftedClock, type ShiftedClock } from './clock.ts'
import { openCatalogue } from './federation-catalogue.ts'
import { committedDescription, describedClient } from './described-api.ts'
import { freePort, send, type Answer, type Outgoing } from './http.ts'
import { startRegister, type Register } from './register.ts'

export const INSTANCE = 'KH-TEST'
export const BANK = `${INSTANCE}/COM/BANK/KYC`
export const REGISTRY = `${INSTANCE}/GOV/REG/POP`

export interface TestGateway extends AsyncDisposable {
  readonly config: GatewayConfig
  readonly admin: ApiClient
  readonly running: RunningGateway
  readonly httpPort: number
  readonly authentication: Credentials
  readonly signing: Credentials
  /** Stops it and starts it again on the same state. */
  restart(changes?: Partial<GatewayConfig>): Promise<void>
  /** Its log's entries for an exchange. */
  entries(exchangeId: string): Promise<StoredRecord[]>
}
export interface Federation extends AsyncDisposable {
  readonly dir: string
  readonly ca: string
  readonly clocks: Record<'authority' | 'catalogue' | 'client' | 'provider', ShiftedClock>
  readonly authority: RunningAuthority
  readonly catalogue: Catalogue
  readonly catalogueAdmin: ApiClient
  readonly client: TestGateway
  readonly provider: TestGateway
  readonly register: Register
  /** Registers a service of the provider and connects it; a grant for the bank unless `grant` is null. */
  addService(code: string, options?: ServiceOptions): Promise<void>
  /** Calls through the client's HTTP port as the bank. */
  call(path: string, options?: Partial<Outgoing>): Promise<Answer>
  /** Resolves when every gateway works by the catalogue's newest snapshot. */
  settled(): Promise<void>
}
export interface ServiceOptions {
  readonly url?: string
  readonly grant?: { method: string; path: string }[] | null
  readonly timeoutMs?: number
  readonly description?: object
  readonly caCertificates?: string
}
interface Options {
  readonly authority?: Partial<AuthorityConfig>
  readonly catalogue?: Partial<CatalogueConfig>
  readonly client?: Partial<GatewayConfig>
  readonly provider?: Partial<GatewayConfig>
  readonly keyKind?: KeyKind
  /** Of the authority and the gateways. */
  readonly logger?: Logger
}

export async function startFederation(options: Options = {}): Promise<Federation> {
  await using resources = new AsyncDisposableStack()
  const dir = mkdtempSync(join(tmpdir(), 'federation-'))
  resources.defer(() => rmSync(dir, { recursive: true, force: true }))
  const clocks = {
    authority: shiftedClock(),
    catalogue: shiftedClock(),
    client: shiftedClock(),
    provider: shiftedClock(),
  }
  const { logger = createLogger('test') } = options
  const authority = resources.use(
    await startAuthority(
      authorityConfig({
        instance: INSTANCE,
        stateDir: join(dir, 'authority'),
        ...options.authority,
      }),
      { logger, clock: clocks.authority.now },
    ),
  )
  const ca = authority.authority.root.pem
  const catalogue = resources.use(
    await openCatalogue(INSTANCE, dir, authority, clocks.catalogue, options.catalogue),
  )
  const catalogueAdmin = resources.use(
    describedClient(
      createApiClient({ url: catalogue.url, token: catalogue.adminToken, ca }),
      committedDescription('catalogue'),
    ),
  )
  await catalogueAdmin.call('PUT', '/admin/authorities/test', {
    certificates: [ca, ...Object.values(authority.authority.issuers).map(({ pem }) => pem)],
  })
  const register = resources.use(await startRegister())
  const context: Context = { dir, ca, authority, catalogue, catalogueAdmin, logger }
  const keyKind = options.keyKind ?? 'P-256'
  const client = resources.use(
    await openGateway(context, {
      parts: ['COM', 'BANK'],
      code: 'BANK-1',
      subsystems: ['KYC', 'NOGRANT'],
      clock: clocks.client,
      overrides: options.client ?? {},
      keyKind,
    }),
  )
  const provider = resources.use(
    await openGateway(context, {
      parts: ['GOV', 'REG'],
      code: 'REG-1',
      subsystems: ['POP'],
      clock: clocks.provider,
      overrides: options.provider ?? {},
      keyKind,
    }),
  )

  const settled = async (): Promise<void> => {
    const wanted = catalogue.snapshotNumber()
    for (const gateway of [client, provider]) {
      const number = async (): Promise<number> =>
        (await gateway.admin.call<{ snapshot?: { number: number } }>('GET', '/admin/status'))
          .snapshot?.number ?? 0
      while ((await number()) < wanted) await new Promise((done) => setTimeout(done, 10))
    }
  }
  const addService = async (code: string, service: ServiceOptions = {}): Promise<void> => {
    const { url = `http://127.0.0.1:${register.port}/base`, grant, description } = service
    const path = apiPath('/admin/services', 'GOV', 'REG', 'POP', code)
    await catalogueAdmin.call('PUT', path, { title: code, ...(description ? { description } : {}) })
    const { timeoutMs, caCertificates } = service
    await provider.admin.call('PUT', path, {
      url,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(caCertificates === undefined ? {} : { caCertificates }),
    })
    if (grant !== null) {
      await provider.admin.call('POST', '/admin/grants', {
        subject: BANK,
        service: `${REGISTRY}/${code}`,
        ...(grant ? { endpoints: grant } : {}),
      })
    }
  }
  await addService('echo')
  await settled()

  const owned = resources.move()
  return {
    dir,
    ca,
    clocks,
    authority,
    catalogue,
    catalogueAdmin,
    client,
    provider,
    register,
    addService,
    settled,
    call: (path, outgoing = {}) =>
      send({ port: client.httpPort, path, rawHeaders: ['X-Road-Client', BANK], ...outgoing }),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

interface Context {
  readonly dir: string
  readonly ca: string
  readonly authority: RunningAuthority
  readonly catalogue: Catalogue
  readonly catalogueAdmin: ApiClient
  readonly logger: Logger
}

interface GatewayOptions {
  readonly parts: readonly [memberClass: string, member: string]
  readonly code: string
  readonly subsystems: readonly string[]
  readonly clock: ShiftedClock
  readonly overrides: Partial<GatewayConfig>
  readonly keyKind: KeyKind
}

async function openGateway(context: Context, options: GatewayOptions): Promise<TestGateway> {
  const { dir, ca, authority, catalogue, catalogueAdmin, logger } = context
  const { parts, code, subsystems, clock, overrides, keyKind } = options
  const [memberClass, member] = parts
  const identity = { instance: INSTANCE, memberClass, member }
  const authentication = await obtain(authority.authority, {
    kind: 'authentication',
    identity: { ...identity, gateway: code },
    keyKind,
    enrolment: code,
  })
  const signing = await obtain(authority.authority, {
    kind: 'signing',
    identity,
    keyKind,
    enrolment: code,
  })
  const at = (name: string): string => join(dir, code, name)
  for (const [name, { cert, key }] of Object.entries({ authentication, signing })) {
    writePrivateFile(at(`${name}.key`), key)
    writeFileSync(at(`${name}.pem`), cert)
  }
  const httpPort = await freePort()
  let config: GatewayConfig = {
    gatewayId: `${INSTANCE}/${memberClass}/${member}/${code}`,
    stateDir: at('state'),
    anchorFile: catalogue.anchorFile,
    authentication: {
      keyFile: at('authentication.key'),
      certificateFile: at('authentication.pem'),
    },
    signing: [
      {
        member: `${INSTANCE}/${memberClass}/${member}`,
        keyFile: at('signing.key'),
        certificateFile: at('signing.pem'),
      },
    ],
    informationSystems: { host: '127.0.0.1', httpPort, httpsPort: await freePort() },
    peers: { host: '127.0.0.1', port: await freePort() },
    admin: { host: '127.0.0.1', port: await freePort() },
    transparency: { host: '127.0.0.1', port: await freePort() },
    timeouts: {
      connectMs: 1000,
      serviceMs: 1000,
      providerMs: 4000,
      idleMs: 700,
      requestMs: 60_000,
    },
    maxBodyBytes: 4_194_304,
    bodyMemoryBytes: 65_536,
    spoolMaxBytes: 1_073_741_824,
    connections: 32,
    maxConnections: 1000,
    exchangeLog: { maxBytes: 1_073_741_824, warnFreeBytes: 0, rules: [], number: 1 },
    ocspRefreshSeconds: 1,
    ocspOutageMinutes: 240,
    catalogueWaitSeconds: 30,
    timeStamping: { intervalSeconds: 60, limitMinutes: 240, refuseAtLimit: false, authorities: [] },
    ...overrides,
  }
  const start = (): Promise<RunningGateway> => startGateway(config, { logger, clock: clock.now })
  let running = await start()
  const url = `https://127.0.0.1:${running.ports.admin}`
  const admin = describedClient(
    createApiClient({ url, token: running.adminToken, ca }),
    committedDescription('gateway'),
  )

  const memberPath = apiPath('/admin/members', memberClass, member)
  const gatewayPath = apiPath('/admin/gateways', memberClass, member, code)
  await catalogueAdmin.call('PUT', memberPath, { name: member })
  for (const subsystem of subsystems) {
    const path = apiPath('/admin/subsystems', memberClass, member, subsystem)
    await catalogueAdmin.call('PUT', path, { name: subsystem })
  }
  await catalogueAdmin.call('PUT', gatewayPath, {
    address: `https://127.0.0.1:${running.ports.peers}`,
    clients: subsystems.map((subsystem) => `${INSTANCE}/${memberClass}/${member}/${subsystem}`),
  })
  await catalogueAdmin.call('POST', `${memberPath}/certificates`, {
    certificate: signing.certificate.pem,
  })
  await catalogueAdmin.call('POST', `${gatewayPath}/certificates`, {
    certificate: authentication.certificate.pem,
  })
  return {
    get config() {
      return config
    },
    get running() {
      return running
    },
    admin,
    httpPort,
    authentication,
    signing,
    restart: async (changes = {}) => {
      await running[Symbol.asyncDispose]()
      config = { ...config, ...changes }
      running = await start()
    },
    entries: async (exchangeId) =>
      (await admin.call<{ entries: StoredRecord[] }>('GET', apiPath('/admin/log', exchangeId)))
        .entries,
    [Symbol.asyncDispose]: async () => {
      await admin[Symbol.asyncDispose]()
      await running[Symbol.asyncDispose]()
    },
  }
}
