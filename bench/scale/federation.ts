/** Authority in this process; catalogue and gateways each a process of its own, as they are installed. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULT_ACCURACY_MS, DEFAULT_POLICY } from '../../pki/authority/time-stamping.ts'
import { startAuthority, type RunningAuthority } from '../../pki/authority/server.ts'
import type { CertificateIdentity, CertificateKind } from '../../pki/identity.ts'
import { createApiClient, type ApiClient } from '../../runtime/api-client.ts'
import { startProgram, type ChildProgram } from '../../runtime/child-program.ts'
import { createLogger } from '../../runtime/logger.ts'
import {
  readPrivateFile,
  writeFileAtomically,
  writePrivateFile,
} from '../../runtime/private-file.ts'
import { openDatabase } from '../../service-catalogue/database.ts'
import { obtain, type Credentials } from '../../tests/support/certificates.ts'
import {
  fillCatalogue,
  gatewayCode,
  gatewayId,
  INSTANCE,
  memberCode,
  MEMBERS,
  memberId,
  spokenFor,
} from './country.ts'
import { freePorts, writeJson } from '../install.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const HOST = '127.0.0.1'
/** As the systemd unit in docs/deployment.md sets it. */
const UNIT_ENVIRONMENT = { NODE_OPTIONS: '--max-semi-space-size=4', MALLOC_ARENA_MAX: '2' }

export interface Installed {
  readonly dir: string
  readonly ca: string
  readonly cataloguePort: number
  readonly gateways: readonly { readonly member: number; readonly adminPort: number }[]
  readonly signing: readonly Credentials[]
}

/** Lays everything out on disk; nothing but the authority runs afterwards. */
export async function install(
  dir: string,
  gateways: number,
  say: (text: string) => void,
): Promise<Installed & { readonly authority: RunningAuthority }> {
  const authority = await startAuthority(
    {
      ...{ instance: INSTANCE, stateDir: join(dir, 'authority'), host: HOST, keyKind: 'P-256' },
      ...{ publicPort: 0, adminPort: 0, estPort: 0, approval: false },
      lifetimes: {
        ...{ authentication: '730d', signing: '730d', informationSystem: '730d', server: '730d' },
      },
      ...{ ocspValidityMinutes: 240, crlHours: 24, crlIntervalMinutes: 60 },
      timeStamping: { policy: DEFAULT_POLICY, accuracyMs: DEFAULT_ACCURACY_MS },
    },
    { logger: createLogger('authority', 'error') },
  )
  const ca = authority.authority.root.pem
  say(`certificates for ${MEMBERS} members and as many gateways`)
  const order = (
    kind: CertificateKind,
    member: string,
    more: Partial<CertificateIdentity> = {},
  ): Promise<Credentials> => {
    const identity = { instance: INSTANCE, memberClass: 'GOV', member, ...more }
    return obtain(authority.authority, { kind, identity })
  }
  const tls = await order('server', 'OPERATOR')
  const signing: Credentials[] = []
  const authentication: Credentials[] = []
  for (let member = 0; member < MEMBERS; member++) {
    const code = memberCode(member)
    signing.push(await order('signing', code))
    authentication.push(await order('authentication', code, { gateway: gatewayCode(member) }))
  }
  const at = (...names: string[]): string => join(dir, ...names)
  const ports = await freePorts(1 + gateways * 4)
  const [cataloguePort = 0] = ports
  writeFileAtomically(at('root.pem'), ca)
  writePrivateFile(at('catalogue', 'tls.key'), tls.key)
  writeFileSync(at('catalogue', 'tls.pem'), tls.cert)
  writeJson(at('catalogue', 'catalogue.json'), {
    ...{ instance: INSTANCE, stateDir: 'state', host: HOST, port: cataloguePort },
    ...{ tlsCertificateFile: 'tls.pem', tlsKeyFile: 'tls.key', rootCertificateFile: '../root.pem' },
  })
  const started = Array.from({ length: gateways }, (_, member) => {
    const [peers = 0, admin = 0, http = 0, transparency = 0] = ports.slice(1 + member * 4)
    return { member, peers, adminPort: admin, http, transparency }
  })
  for (const { member, peers, adminPort, http, transparency } of started) {
    const folder = (name: string): string => at(gatewayCode(member), name)
    const { cert, key } = authentication[member]!
    writePrivateFile(folder('authentication.key'), key)
    writeFileSync(folder('authentication.pem'), cert)
    for (const spoken of spokenFor(member)) {
      writePrivateFile(folder(`${memberCode(spoken)}.key`), signing[spoken]!.key)
      writeFileSync(folder(`${memberCode(spoken)}.pem`), signing[spoken]!.cert)
    }
    writeJson(folder('gateway.json'), {
      ...{ gatewayId: gatewayId(member), stateDir: 'state' },
      anchorFile: '../catalogue/state/anchor.json',
      authentication: { keyFile: 'authentication.key', certificateFile: 'authentication.pem' },
      signing: spokenFor(member).map((spoken) => ({
        ...{ member: memberId(spoken), keyFile: `${memberCode(spoken)}.key` },
        certificateFile: `${memberCode(spoken)}.pem`,
      })),
      informationSystems: { host: HOST, httpPort: http, httpsPort: 0 },
      peers: { host: HOST, port: peers },
      admin: { host: HOST, port: adminPort },
      transparency: { host: HOST, port: transparency },
    })
  }
  const installed = { dir, ca, cataloguePort, gateways: started, signing, authority }
  {
    await using _catalogue = await startCatalogueProgram(installed)
    await using admin = catalogueAdmin(installed)
    const { issuers } = authority.authority
    const certificates = [ca, ...Object.values(issuers).map(({ pem }) => pem)]
    await admin.call('PUT', '/admin/authorities/own', { certificates })
  }
  say('services and their descriptions')
  using db = openDatabase(at('catalogue', 'state'), INSTANCE)
  await fillCatalogue(
    db,
    {
      signing: signing.map(({ certificate }) => certificate),
      authentication: authentication.map(({ certificate }) => certificate),
    },
    started.map(({ peers }) => peers),
  )
  return installed
}

export const startCatalogueProgram = ({ dir }: Pick<Installed, 'dir'>): Promise<ChildProgram> =>
  startProgram({
    ...{ name: 'catalogue', file: join(ROOT, 'service-catalogue', 'main.ts') },
    ...{ args: [join(dir, 'catalogue', 'catalogue.json')], logFile: join(dir, 'catalogue.log') },
  })

export const startGatewayProgram = (
  { dir }: Pick<Installed, 'dir'>,
  member: number,
): Promise<ChildProgram> =>
  startProgram({
    ...{ name: gatewayCode(member), file: join(ROOT, 'gateway', 'main.ts') },
    args: [join(dir, gatewayCode(member), 'gateway.json')],
    logFile: join(dir, `${gatewayCode(member)}.log`),
    env: { ...UNIT_ENVIRONMENT, NODE_COMPILE_CACHE: join(dir, 'compile-cache') },
  })

export const catalogueAdmin = ({ dir, ca, cataloguePort }: Installed): ApiClient =>
  adminOf(join(dir, 'catalogue', 'state'), cataloguePort, ca)

export const gatewayAdmin = (
  { dir, ca }: Installed,
  gateway: { readonly member: number; readonly adminPort: number },
): ApiClient => adminOf(join(dir, gatewayCode(gateway.member), 'state'), gateway.adminPort, ca)

function adminOf(stateDir: string, port: number, ca: string): ApiClient {
  const token = readPrivateFile(join(stateDir, 'admin.token')).trim()
  return createApiClient({ url: `https://${HOST}:${port}`, token, ca })
}
