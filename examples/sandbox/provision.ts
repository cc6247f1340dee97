/** What an operator and the members do once, done through the programs' own admin APIs. */
import { copyFileSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { ExchangeError } from '../../protocol/errors.ts'
import { apiPath, createApiClient, type ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { readPrivateFile, writeFileAtomically } from '../../runtime/private-file.ts'
import { ensureCertificate } from './certificates.ts'
import { sandboxFiles } from './config-files.ts'
import { HOST, type GatewayPlan, type SandboxPlan } from './plan.ts'

const LOCAL_NAMES = ['localhost', HOST]

/** Opens the admin API of a program of the sandbox. */
export function adminOf(plan: SandboxPlan, port: number, tokenFile: string): ApiClient {
  return createApiClient({
    url: `https://${HOST}:${port}`,
    token: readPrivateFile(tokenFile).trim(),
    ca: readFileSync(sandboxFiles(plan.dir).rootCertificate, 'utf8'),
  })
}

const ocspUrlOf = ({ authority }: SandboxPlan): string =>
  `http://${HOST}:${authority.publicPort}/ocsp`

/** Fetches the root, and has the certificates issued that the programs start with. */
export async function provisionCertificates(plan: SandboxPlan): Promise<void> {
  const files = sandboxFiles(plan.dir)
  await using anyone = createApiClient({ url: `http://${HOST}:${plan.authority.publicPort}` })
  writeFileAtomically(files.rootCertificate, await anyone.call<string>('GET', '/ca/root.pem'))
  await using authority = adminOf(plan, plan.authority.adminPort, files.authority.token)
  const { instance } = plan
  const ocspUrl = ocspUrlOf(plan)
  await ensureCertificate(
    {
      files: files.catalogue.tls,
      kind: 'server',
      identity: { instance, memberClass: 'GOV', member: 'OPERATOR' },
      subjectAltNames: LOCAL_NAMES,
    },
    authority,
    ocspUrl,
  )
  for (const { name, memberClass, member, gateway, subsystem, httpsPort } of plan.gateways) {
    const own = files.gateway(name)
    const identity = { instance, memberClass, member }
    await ensureCertificate(
      {
        files: own.authentication,
        kind: 'authentication',
        identity: { ...identity, gateway },
        subjectAltNames: LOCAL_NAMES,
        enrolment: name,
      },
      authority,
      ocspUrl,
    )
    await ensureCertificate(
      { files: own.signing, kind: 'signing', identity, enrolment: name },
      authority,
      ocspUrl,
    )
    if (httpsPort === 0) continue
    await ensureCertificate(
      {
        files: files.informationSystem,
        kind: 'information-system',
        identity: { ...identity, subsystem },
      },
      authority,
      ocspUrl,
    )
  }
}

/** Registers everybody in the catalogue. Registering again what is there changes nothing. */
export async function provisionCatalogue(plan: SandboxPlan): Promise<void> {
  const files = sandboxFiles(plan.dir)
  await using anyone = createApiClient({ url: `http://${HOST}:${plan.authority.publicPort}` })
  const certificates = await Promise.all(
    ['root', 'authentication', 'signing'].map((name) =>
      anyone.call<string>('GET', `/ca/${name}.pem`),
    ),
  )
  await using catalogue = adminOf(plan, plan.cataloguePort, files.catalogue.token)
  await catalogue.call('PUT', apiPath('/admin/authorities', 'sandbox'), { certificates })
  await catalogue.call('PUT', apiPath('/admin/time-stamping-authorities', 'sandbox'), {
    url: `http://${HOST}:${plan.authority.publicPort}/tsp`,
    certificates: [certificates.at(-1)],
  })
  for (const gateway of plan.gateways) await register(plan, gateway, catalogue)
  for (const { name } of plan.gateways) {
    copyFileSync(files.catalogue.anchor, files.gateway(name).anchor)
  }
}

async function register(
  plan: SandboxPlan,
  gateway: GatewayPlan,
  catalogue: ApiClient,
): Promise<void> {
  const { memberClass, member, subsystem, name } = gateway
  const files = sandboxFiles(plan.dir).gateway(name)
  const memberPath = apiPath('/admin/members', memberClass, member)
  const gatewayPath = apiPath('/admin/gateways', memberClass, member, gateway.gateway)
  await catalogue.call('PUT', memberPath, { name: gateway.memberName })
  await catalogue.call('PUT', apiPath('/admin/subsystems', memberClass, member, subsystem), {
    name: gateway.subsystemName,
  })
  // Of a start before, with what was put since
  const known = await find<{ clients: string[] }>(catalogue, gatewayPath)
  const own = `${plan.instance}/${memberClass}/${member}/${subsystem}`
  await catalogue.call('PUT', gatewayPath, {
    address: `https://${HOST}:${gateway.peerPort}`,
    clients: [...new Set([...(known?.clients ?? []), own])].toSorted(),
  })
  await catalogue.call('POST', `${memberPath}/certificates`, {
    certificate: firstOf(readFileSync(files.signing.certificate, 'utf8')),
  })
  await catalogue.call('POST', `${gatewayPath}/certificates`, {
    certificate: firstOf(readFileSync(files.authentication.certificate, 'utf8')),
  })
}

async function find<T>(api: ApiClient, path: string): Promise<T | undefined> {
  return await api.call<T>('GET', path).catch((error: unknown) => {
    if (error instanceof ExchangeError && error.code === 'admin.not-found') return undefined
    throw error
  })
}

function firstOf(pem: string): string {
  const end = '-----END CERTIFICATE-----\n'
  return pem.slice(0, pem.indexOf(end) + end.length)
}

/** Publishes the registers as services, connects them to their gateways, and lets the bank call. */
export async function provisionServices(plan: SandboxPlan): Promise<void> {
  const files = sandboxFiles(plan.dir)
  const client = plan.gateways.find(({ register: own }) => own === undefined)!
  const subject = `${plan.instance}/${client.memberClass}/${client.member}/${client.subsystem}`
  await using catalogue = adminOf(plan, plan.cataloguePort, files.catalogue.token)
  for (const gateway of plan.gateways) {
    const { register: own, memberClass, member, subsystem } = gateway
    if (own === undefined) continue
    const parts = [memberClass, member, subsystem, own.service]
    await using adapter = createApiClient({ url: `http://${HOST}:${own.port}` })
    const description = await adapter.call<object>('GET', '/openapi.json')
    await publish(catalogue, apiPath('/admin/services', ...parts), own.title, description)
    await using admin = adminOf(plan, gateway.adminPort, files.gateway(gateway.name).token)
    const url = `http://${HOST}:${own.port}/${own.service}`
    await admin.call('PUT', apiPath('/admin/services', ...parts), { url })
    const service = [plan.instance, ...parts].join('/')
    await admin.call('POST', '/admin/grants', { subject, service })
  }
  await using bank = adminOf(plan, client.adminPort, files.gateway(client.name).token)
  await bank.call('POST', '/admin/information-systems', {
    client: subject,
    certificate: firstOf(readFileSync(files.informationSystem.certificate, 'utf8')),
  })
}

interface Known {
  readonly title: string
  readonly state: string
  readonly classification?: string
  readonly validation?: string
  readonly planned?: object
}

/** Other data than at the last start, `--data`, has another description, and nobody to wait for. */
async function publish(
  catalogue: ApiClient,
  path: string,
  title: string,
  description: object,
): Promise<void> {
  const known = await find<Known>(catalogue, path)
  // What somebody tries out with the life of a service stays
  if (known !== undefined && (known.state !== 'published' || known.planned !== undefined)) return
  if (known === undefined) return await catalogue.call('PUT', path, { title, description })
  const { classification, validation } = known
  const body = { title: known.title, description, classification, validation }
  const compared = await catalogue.call<{ level: string; lowestVersion: string }>(
    'POST',
    `${path}/compare`,
    { description },
  )
  const now = new Date().toISOString()
  const early = {
    version: compared.lowestVersion,
    effectiveAt: now,
    reason: 'the sandbox serves other data',
  }
  await catalogue.call('PUT', path, { ...body, ...(compared.level === 'breaking' ? early : {}) })
}

/** Two of the catalogue and the gateways cosign each checkpoint of a log. */
export async function provisionWitnesses(plan: SandboxPlan): Promise<void> {
  const files = sandboxFiles(plan.dir)
  await using catalogue = adminOf(plan, plan.cataloguePort, files.catalogue.token)
  const until = performance.now() + SETTLE_MS
  for (;;) {
    const { witnesses } = await catalogue.call<{ witnesses: unknown[] }>('GET', '/admin/witnesses')
    if (witnesses.length > plan.gateways.length) break
    if (performance.now() > until) {
      throw new ConfigError('the gateways do not register themselves as witnesses; see their logs')
    }
    await delay(LOOK_MS)
  }
  await catalogue.call('PUT', '/admin/witness-policy', { threshold: 2 })
}

const LOOK_MS = 20
const SETTLE_MS = 15_000

/** Resolves when every gateway works by the catalogue's newest snapshot. */
export async function settled(plan: SandboxPlan): Promise<void> {
  const files = sandboxFiles(plan.dir)
  await using catalogue = adminOf(plan, plan.cataloguePort, files.catalogue.token)
  const { snapshotNumber } = await catalogue.call<{ snapshotNumber: number }>('GET', '/status')
  const until = performance.now() + SETTLE_MS
  for (const { name, adminPort } of plan.gateways) {
    await using gateway = adminOf(plan, adminPort, files.gateway(name).token)
    for (;;) {
      const { snapshot, catalogue: heard } = await gateway.call<{
        snapshot?: { number: number }
        catalogue: { fault?: string }
      }>('GET', '/admin/status')
      if ((snapshot?.number ?? 0) >= snapshotNumber) break
      if (performance.now() > until) {
        throw new ConfigError(`gateway ${name} does not hear from the catalogue: ${heard.fault}`)
      }
      await delay(LOOK_MS)
    }
  }
}
