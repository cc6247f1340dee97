/** `spean apply` and `export` of a whole federation: its catalogue and what its gateways keep. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describe as descriptionOf, speanIn, type Spean } from '../cli/apply-support.ts'
import { obtain } from '../support/certificates.ts'
import {
  BANK,
  INSTANCE,
  REGISTRY,
  startFederation,
  type Federation,
} from '../support/federation.ts'

let f: Federation
let spean: Spean
beforeAll(async () => {
  f = await startFederation()
  const { dir, catalogue, client, provider } = f
  const write = (name: string, content: string): void =>
    writeFileSync(join(dir, name), content, { mode: 0o600 })
  const endpoint = (name: string, port: number, token: string): object => {
    write(`${name}.token`, token)
    return { url: `https://127.0.0.1:${port}`, tokenFile: `${name}.token` }
  }
  write('root.pem', f.ca)
  write('things.json', JSON.stringify(descriptionOf('name')))
  write(
    'spean.json',
    JSON.stringify({
      instance: INSTANCE,
      caFile: 'root.pem',
      catalogue: endpoint('catalogue', catalogue.port, catalogue.adminToken),
      gateways: {
        bank: endpoint('bank', client.running.ports.admin, client.running.adminToken),
        registry: endpoint('registry', provider.running.ports.admin, provider.running.adminToken),
      },
    }),
  )
  spean = speanIn(dir)
})
afterAll(() => f[Symbol.asyncDispose]())

const keys = {
  keys: [{ kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }],
}
const wanted = (url: string): string =>
  JSON.stringify({
    version: 1,
    instance: INSTANCE,
    services: { 'GOV/REG/POP/things': { title: 'Things', description: 'things.json' } },
    gatewaySettings: {
      registry: {
        services: { 'GOV/REG/POP/things': { url, timeoutMs: 5000 } },
        grants: [
          { subject: 'COM/BANK/KYC', service: 'GOV/REG/POP/things', endpoints: ['GET /things'] },
        ],
        identityProviders: [{ member: 'COM/BANK', issuer: 'https://id.bank.example', jwks: keys }],
      },
      bank: { informationSystems: { 'COM/BANK/KYC': ['system.pem'] } },
    },
  })

it('publishes a service, connects it and lets a client call it, in one go; then has nothing to do', async () => {
  const identity = { instance: INSTANCE, memberClass: 'COM', member: 'BANK', subsystem: 'KYC' }
  const system = await obtain(f.authority.authority, { kind: 'information-system', identity })
  writeFileSync(join(f.dir, 'system.pem'), system.cert)
  writeFileSync(join(f.dir, 'wanted.json'), wanted(`http://127.0.0.1:${f.register.port}/things`))
  const apply = ['apply', '-f', 'wanted.json', '--yes']
  const made = await spean(apply)
  expect([made.code, made.err]).toEqual([0, ''])
  expect(made.out).toMatch(/5\/5 created .*\nsnapshot \d+\n$/s)
  expect((await spean(apply)).out).toMatch(/^nothing to change/)
  const { grants } = await f.provider.admin.call<{ grants: object[] }>('GET', '/admin/grants')
  expect(grants).toContainEqual(
    expect.objectContaining({ subject: BANK, service: `${REGISTRY}/things` }),
  )
}, 120_000)

it('takes back what export writes of all of it, and prunes what is gone from the file', async () => {
  const { out, err } = await spean(['export', '--gateway'])
  expect(err).toBe('')
  const dry = await spean(['apply', '-f', '-', '--dry-run', '--prune'], { input: out })
  expect([dry.code, dry.out]).toEqual([0, 'nothing to change\n'])
  const less = { version: 1, instance: INSTANCE, gatewaySettings: { registry: { grants: [] } } }
  const file = join(f.dir, 'less.json')
  writeFileSync(file, JSON.stringify(less))
  expect((await spean(['apply', '-f', file, '--yes'])).out).toContain('--prune deletes them')
  const pruned = await spean(['apply', '-f', file, '--yes', '--prune'])
  expect([pruned.code, pruned.out]).toEqual([0, expect.stringContaining('2/2 deleted grant')])
  const { grants } = await f.provider.admin.call<{ grants: object[] }>('GET', '/admin/grants')
  expect(grants).toEqual([])
}, 120_000)
