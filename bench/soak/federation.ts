/** A whole instance for the soak: each program a process of its own, each gateway enrolled by `spean enroll`. */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { ensureCertificate } from '../../examples/sandbox/certificates.ts'
import { apiPath, createApiClient, type ApiClient } from '../../runtime/api-client.ts'
import { startProgram } from '../../runtime/child-program.ts'
import {
  readPrivateFile,
  writeFileAtomically,
  writePrivateFile,
} from '../../runtime/private-file.ts'
import { freePorts, writeJson } from '../install.ts'

const ROOT = join(import.meta.dirname, '..', '..')
const HOST = '127.0.0.1'
export const INSTANCE = 'SOAK'

export interface SoakGateway {
  readonly name: string
  readonly admin: ApiClient
}
export interface SoakFederation extends AsyncDisposable {
  /** Where the client's information systems call. */
  readonly httpPort: number
  readonly gateways: readonly SoakGateway[]
}

interface Options {
  readonly dir: string
  /** Of authentication and signing certificates: `30s`. */
  readonly lifetime: string
  readonly servicePort: number
  readonly report: (line: string) => void
}

/** @throws ConfigError, ExchangeError when a program does not start or refuses what it is told. */
export async function startSoakFederation(options: Options): Promise<SoakFederation> {
  const { dir, lifetime, servicePort, report } = options
  await using resources = new AsyncDisposableStack()
  const start = async (name: string, file: string, config: string): Promise<void> => {
    const logFile = join(dir, 'logs', `${name}.log`)
    const child = { name, file: join(ROOT, file), args: [config], logFile }
    resources.use(await startProgram(child))
    report(`  ${name} runs`)
  }
  const [publicPort, adminPort, estPort, cataloguePort] = await freePorts(4)
  const at = (...names: string[]): string => join(dir, ...names)
  writeJson(at('authority', 'authority.json'), {
    ...{ instance: INSTANCE, stateDir: 'state', host: HOST, publicPort, adminPort, estPort },
    lifetimes: { authentication: lifetime, signing: lifetime },
  })
  await start('authority', 'pki/authority/main.ts', at('authority', 'authority.json'))
  await using anyone = createApiClient({ url: `http://${HOST}:${publicPort}` })
  const names = ['root', 'authentication', 'signing']
  const cas = await Promise.all(names.map((name) => anyone.call<string>('GET', `/ca/${name}.pem`)))
  const [ca = ''] = cas
  writeFileAtomically(at('root.pem'), ca)
  const open = (port: number, tokenFile: string): ApiClient => {
    const token = readPrivateFile(tokenFile).trim()
    return resources.use(createApiClient({ url: `https://${HOST}:${port}`, token, ca }))
  }
  const authority = open(adminPort!, at('authority', 'state', 'admin.token'))

  const tls = { key: at('catalogue', 'tls.key'), certificate: at('catalogue', 'tls.pem') }
  const operator = { instance: INSTANCE, memberClass: 'GOV', member: 'OPERATOR' }
  const wanted = {
    files: tls,
    kind: 'server' as const,
    identity: operator,
    subjectAltNames: [HOST],
  }
  await ensureCertificate(wanted, authority, `http://${HOST}:${publicPort}/ocsp`)
  writeJson(at('catalogue', 'catalogue.json'), {
    ...{ instance: INSTANCE, stateDir: 'state', host: HOST, port: cataloguePort },
    ...{ tlsCertificateFile: 'tls.pem', tlsKeyFile: 'tls.key', rootCertificateFile: '../root.pem' },
  })
  await start('catalogue', 'service-catalogue/main.ts', at('catalogue', 'catalogue.json'))
  const catalogue = open(cataloguePort!, at('catalogue', 'state', 'admin.token'))
  await catalogue.call('PUT', '/admin/authorities/soak', { certificates: cas })
  for (const [member, subsystem] of [
    ['BANK', 'KYC'],
    ['REG', 'POP'],
  ] as const) {
    await catalogue.call('PUT', apiPath('/admin/members', 'GOV', member), { name: member })
    const path = apiPath('/admin/subsystems', 'GOV', member, subsystem)
    await catalogue.call('PUT', path, { name: subsystem })
  }
  const service = ['GOV', 'REG', 'POP', 'echo']
  await catalogue.call('PUT', apiPath('/admin/services', ...service), { title: 'echo' })

  const enroll = async (
    member: string,
    subsystem: string,
    httpPort: number,
  ): Promise<SoakGateway> => {
    const [peerPort, gatewayAdmin, transparencyPort] = await freePorts(3)
    const gateway = `${member}-1`
    const identity = { memberClass: 'GOV', member }
    const { code } = await authority.call<{ code: string }>('POST', '/admin/codes', {
      orders: [
        {
          kind: 'authentication',
          identity: { ...identity, gateway },
          subjectAltNames: [HOST],
        },
        { kind: 'signing', identity },
      ],
    })
    const folder = at(gateway)
    writePrivateFile(at(gateway, 'code'), code)
    await spean([
      ...['enroll', '--authority', `https://${HOST}:${estPort}`],
      ...['--anchor', at('catalogue', 'state', 'anchor.json')],
      ...['--gateway', `${INSTANCE}/GOV/${member}/${gateway}`],
      ...['--address', `https://${HOST}:${peerPort}`, '--client', subsystem],
      ...['--code-file', at(gateway, 'code'), '--dir', folder],
    ])
    const file = at(gateway, 'gateway.json')
    const config = JSON.parse(readFileSync(file, 'utf8')) as object
    writeJson(file, {
      ...config,
      informationSystems: { host: HOST, httpPort, httpsPort: 0 },
      peers: { host: HOST, port: peerPort },
      admin: { host: HOST, port: gatewayAdmin },
      transparency: { host: HOST, port: transparencyPort },
    })
    await start(`gateway ${gateway}`, 'gateway/main.ts', file)
    return { name: gateway, admin: open(gatewayAdmin!, at(gateway, 'state', 'admin.token')) }
  }
  const [httpPort] = await freePorts(1)
  const provider = await enroll('REG', 'POP', 0)
  const client = await enroll('BANK', 'KYC', httpPort!)
  await provider.admin.call('PUT', apiPath('/admin/services', ...service), {
    url: `http://${HOST}:${servicePort}/`,
  })
  await provider.admin.call('POST', '/admin/grants', {
    subject: `${INSTANCE}/GOV/BANK/KYC`,
    service: [INSTANCE, ...service].join('/'),
  })
  const owned = resources.move()
  return {
    httpPort: httpPort!,
    gateways: [client, provider],
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

const run = promisify(execFile)

async function spean(args: readonly string[]): Promise<void> {
  await run(process.execPath, [join(ROOT, 'cli', 'main.ts'), ...args])
}
