import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGateway, type RunningGateway } from '../../gateway/server.ts'
import { apiPath, createApiClient, type ApiClient } from '../../runtime/api-client.ts'
import { createLogger } from '../../runtime/logger.ts'
import type { SubjectProfile } from '../../protocol/snapshot.ts'
import {
  BANK,
  INSTANCE,
  REGISTRY,
  startFederation,
  type Federation,
} from '../support/federation.ts'
import { freePort, send, type Answer } from '../support/http.ts'
import {
  startOpensslAuthority,
  type OpensslAuthority,
  type OpensslCertificate,
} from '../support/openssl-authority.ts'

/** As CamDX writes it: instance, server and class in O. */
const NATIONAL: SubjectProfile = {
  instance: { attribute: '2.5.4.10', separator: '/', index: 0, pieces: 3 },
  gateway: { attribute: '2.5.4.10', separator: '/', index: 1, pieces: 3 },
  memberClass: { attribute: '2.5.4.10', separator: '/', index: 2, pieces: 3 },
  member: { attribute: '2.5.4.3' },
}
const MEMBER = 'ក្រសួង-2020'
const FOREIGN = `${INSTANCE}/GOV/${MEMBER}`
const SUBSYSTEM = `${FOREIGN}/TAX`
const GATEWAY = `${FOREIGN}/GW9`
const subject = (server = 'GW9', code = MEMBER): string =>
  `/C=KH/O=${INSTANCE}\\/${server}\\/GOV/CN=${code}`

let f: Federation
let authority: OpensslAuthority
let gateway: RunningGateway
let admin: ApiClient
let authentication: OpensslCertificate
let signing: OpensslCertificate
let httpPort = 0
const resources = new AsyncDisposableStack()

beforeAll(async () => {
  f = resources.use(await startFederation())
  const dir = join(f.dir, 'national')
  mkdirSync(dir)
  authority = resources.use(await startOpensslAuthority(dir))
  authentication = await authority.issue('authentication', subject(), 'authentication', 'P-384')
  signing = await authority.issue('signing', subject(), 'signing', 'RSA-2048')
  await openGateway()
})
afterAll(() => resources.disposeAsync())

async function openGateway(): Promise<void> {
  httpPort = await freePort()
  const files = ({ keyFile, certificateFile }: OpensslCertificate) => {
    chmodSync(keyFile, 0o600)
    return { keyFile, certificateFile }
  }
  gateway = resources.use(
    await startGateway(
      {
        ...f.client.config,
        gatewayId: GATEWAY,
        stateDir: join(f.dir, 'GW9'),
        authentication: files(authentication),
        signing: [{ member: FOREIGN, ...files(signing) }],
        informationSystems: { host: '127.0.0.1', httpPort, httpsPort: 0 },
        peers: { host: '127.0.0.1', port: await freePort() },
        admin: { host: '127.0.0.1', port: await freePort() },
        transparency: { host: '127.0.0.1', port: 0 },
      },
      { logger: createLogger('test') },
    ),
  )
  const url = `https://127.0.0.1:${gateway.ports.admin}`
  const ca = authority.certificates[0]
  admin = resources.use(createApiClient({ url, token: gateway.adminToken, ca }))
}

interface Status {
  readonly snapshot: { readonly number: number }
  readonly certificates: { readonly owner: string; readonly fault?: string }[]
}
/** When the gateway works by the newest snapshot. */
async function settled(): Promise<Status> {
  await f.settled()
  for (;;) {
    const status = await admin.call<Status>('GET', '/admin/status')
    if (status.snapshot.number >= f.catalogue.snapshotNumber()) return status
    await new Promise((done) => setTimeout(done, 10))
  }
}
const faults = (status: Status): (string | undefined)[] =>
  status.certificates.map(({ fault }) => fault)

const asForeign = (path: string): Promise<Answer> =>
  send({ port: httpPort, path, rawHeaders: ['X-Road-Client', encodeURI(SUBSYSTEM)] })

describe('a member with certificates of a national authority', () => {
  it('runs its gateway before that is approved, and its status says what is missing', async () => {
    expect(faults(await settled())).toEqual([
      expect.stringMatching(/no approved authority/),
      expect.stringMatching(/no approved authority/),
    ])
    await f.catalogueAdmin.call('PUT', '/admin/authorities/national', {
      certificates: authority.certificates,
    })
    const byOurProfile = faults(await settled())
    expect(byOurProfile[0]).toMatch(
      /names nobody by the subject profile of national: instance: .*slash/,
    )
    await f.catalogueAdmin.call('PUT', '/admin/authorities/national', {
      certificates: authority.certificates,
      subjectProfile: NATIONAL,
    })
    expect(faults(await settled())[1]).toMatch(/does not list .* register it/)
  })

  it('is registered by the profile of its authority', async () => {
    const { catalogueAdmin } = f
    const member = apiPath('/admin/members', 'GOV', MEMBER)
    const path = apiPath('/admin/gateways', 'GOV', MEMBER, 'GW9')
    await catalogueAdmin.call('PUT', member, { name: 'ក្រសួង' })
    await catalogueAdmin.call('PUT', apiPath('/admin/subsystems', 'GOV', MEMBER, 'TAX'), {
      name: 'Tax',
    })
    const address = `https://127.0.0.1:${gateway.ports.peers}`
    await catalogueAdmin.call('PUT', path, { address, clients: [SUBSYSTEM] })
    const other = await authority.issue('other', subject('GW8'), 'authentication', 'P-256')
    await expect(
      catalogueAdmin.call('POST', `${path}/certificates`, { certificate: other.pem }),
    ).rejects.toMatchObject({ code: 'admin.invalid' })
    await catalogueAdmin.call('POST', `${path}/certificates`, { certificate: authentication.pem })
    await catalogueAdmin.call('POST', `${member}/certificates`, { certificate: signing.pem })
    expect(faults(await settled())).toEqual([undefined, undefined])
  })

  it('calls a member of our authority', async () => {
    await f.provider.admin.call('POST', '/admin/grants', {
      subject: SUBSYSTEM,
      service: `${REGISTRY}/echo`,
    })
    const { status, headers } = await asForeign(`/r1/${REGISTRY}/echo/a`)
    expect([status, headers['x-road-error']]).toEqual([200, undefined])
  })

  it('is called by one', async () => {
    const service = apiPath('/admin/services', 'GOV', MEMBER, 'TAX', 'rates')
    await f.catalogueAdmin.call('PUT', service, { title: 'Rates' })
    await admin.call('PUT', service, { url: `http://127.0.0.1:${f.register.port}/base` })
    await admin.call('POST', '/admin/grants', { subject: BANK, service: `${SUBSYSTEM}/rates` })
    await settled()
    const { status, headers } = await f.call(encodeURI(`/r1/${SUBSYSTEM}/rates/2026`))
    expect([status, headers['x-road-error']]).toEqual([200, undefined])
  })

  it('registers information systems by the profile: of its own, and of no other member', async () => {
    const add = (certificate: OpensslCertificate): Promise<unknown> =>
      admin.call('POST', '/admin/information-systems', {
        client: SUBSYSTEM,
        certificate: certificate.pem,
      })
    const own = await authority.issue('erp', subject('ERP'), 'information-system', 'RSA-2048')
    await expect(add(own)).resolves.toMatchObject({ client: SUBSYSTEM })
    const other = await authority.issue('x', subject('ERP', 'X'), 'information-system', 'P-256')
    await expect(add(other)).rejects.toMatchObject({ code: 'admin.invalid' })
  })

  it('does not send a message any more once its own authority revoked it', async () => {
    await authority.revoke(signing, 'keyCompromise')
    const refused = async (): Promise<string> =>
      (await asForeign(`/r1/${REGISTRY}/echo/a`)).body.toString('utf8')
    while (!(await refused()).includes('gateway.certificate-unsuitable')) {
      await new Promise((done) => setTimeout(done, 100))
    }
    expect(await refused()).toContain('keyCompromise')
  })
})

it('a time-stamping authority run by openssl is registered, and reaches the gateways', async () => {
  const { pem, response } = await authority.timeStamp('log')
  expect(response.length).toBeGreaterThan(100)
  const url = 'http://tsa.national.example/'
  await f.catalogueAdmin.call('PUT', '/admin/time-stamping-authorities/national', {
    url,
    certificates: [pem],
  })
  await settled()
  const list = await f.catalogueAdmin.call('GET', '/admin/time-stamping-authorities')
  expect(list).toMatchObject({ timeStampingAuthorities: [{ name: 'national', url, order: 1 }] })
})
