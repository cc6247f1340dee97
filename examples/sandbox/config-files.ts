import { join, relative } from 'node:path'
import { writeFileAtomically } from '../../runtime/private-file.ts'
import { HOST, type GatewayPlan, type SandboxPlan } from './plan.ts'

/** Where each program's configuration and keys stand, below the sandbox's folder. */
export function sandboxFiles(dir: string) {
  const gateway = (name: string) => {
    const folder = join(dir, 'gateways', name)
    return {
      folder,
      config: join(folder, 'gateway.json'),
      anchor: join(folder, 'anchor.json'),
      authentication: pair(folder, 'authentication'),
      signing: pair(folder, 'signing'),
      token: join(folder, 'state', 'admin.token'),
    }
  }
  return {
    rootCertificate: join(dir, 'root.pem'),
    profile: join(dir, 'spean.json'),
    authority: {
      config: join(dir, 'authority', 'authority.json'),
      token: join(dir, 'authority', 'state', 'admin.token'),
    },
    catalogue: {
      config: join(dir, 'catalogue', 'catalogue.json'),
      tls: pair(join(dir, 'catalogue'), 'tls'),
      anchor: join(dir, 'catalogue', 'state', 'anchor.json'),
      token: join(dir, 'catalogue', 'state', 'admin.token'),
    },
    register: (service: string) => join(dir, 'registers', `${service}.json`),
    informationSystem: pair(join(dir, 'information-systems'), 'kyc'),
    gateway,
  }
}

export interface KeyPairFiles {
  readonly key: string
  readonly certificate: string
}
const pair = (folder: string, name: string): KeyPairFiles => ({
  key: join(folder, `${name}.key`),
  certificate: join(folder, `${name}.pem`),
})

/** Writes every program's configuration: the files that a reader takes to production and edits. */
export function writeConfigFiles(plan: SandboxPlan): void {
  const { dir, instance, authority, cataloguePort, gateways } = plan
  const files = sandboxFiles(dir)
  writeJson(files.authority.config, { instance, stateDir: 'state', host: HOST, ...authority })
  writeJson(files.catalogue.config, {
    instance,
    stateDir: 'state',
    host: HOST,
    port: cataloguePort,
    tlsCertificateFile: 'tls.pem',
    tlsKeyFile: 'tls.key',
    rootCertificateFile: '../root.pem',
    webhooksToPrivateAddresses: true, // everybody is on this machine
  })
  for (const gateway of gateways) {
    writeJson(files.gateway(gateway.name).config, gatewayConfig(plan, gateway))
    const { register } = gateway
    if (register === undefined) continue
    const { service, key, port, file } = register
    const config = { file, ...(key === undefined ? {} : { key }), service, port, host: HOST }
    writeJson(files.register(service), config)
  }
  writeJson(files.profile, profile(plan))
}

function gatewayConfig({ instance, authority }: SandboxPlan, gateway: GatewayPlan): object {
  const { memberClass, member, httpPort, httpsPort, postgresUrlFile } = gateway
  return {
    gatewayId: `${instance}/${memberClass}/${member}/${gateway.gateway}`,
    stateDir: 'state',
    anchorFile: 'anchor.json',
    authentication: { keyFile: 'authentication.key', certificateFile: 'authentication.pem' },
    signing: [
      {
        member: `${instance}/${memberClass}/${member}`,
        keyFile: 'signing.key',
        certificateFile: 'signing.pem',
      },
    ],
    enrolment: { url: `https://${HOST}:${authority.estPort}` },
    informationSystems: { host: HOST, httpPort, httpsPort },
    peers: { host: HOST, port: gateway.peerPort },
    admin: { host: HOST, port: gateway.adminPort },
    transparency: { host: HOST, port: gateway.transparencyPort },
    exchangeLog: {
      archive: { folder: 'archives' },
      ...(postgresUrlFile === undefined ? {} : { postgresUrlFile }),
    },
  }
}

/** For the `spean` command. */
function profile({ dir, instance, authority, cataloguePort, gateways }: SandboxPlan): object {
  const files = sandboxFiles(dir)
  const endpoint = (port: number, token: string): object => ({
    url: `https://${HOST}:${port}`,
    tokenFile: relative(dir, token),
  })
  return {
    instance,
    caFile: 'root.pem',
    authority: endpoint(authority.adminPort, files.authority.token),
    catalogue: endpoint(cataloguePort, files.catalogue.token),
    gateways: Object.fromEntries(
      gateways.map(({ name, adminPort }) => [name, endpoint(adminPort, files.gateway(name).token)]),
    ),
  }
}

function writeJson(file: string, value: object): void {
  writeFileAtomically(file, `${JSON.stringify(value, undefined, 2)}\n`)
}
