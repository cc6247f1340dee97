/** Who is in the country of the bench, and what they offer: 10,000 services of 200 members, 400 subsystems. */
import { createHash } from 'node:crypto'
import type { Endpoint } from '../../protocol/snapshot.ts'
import { apiDescription } from './description.ts'
import { storeService } from '../../service-catalogue/services.ts'
import {
  readDescription,
  type ServiceDescription,
} from '../../service-catalogue/service-description.ts'
import { claimSnapshot } from '../../service-catalogue/snapshot-log.ts'
import type { Certificate } from '../../pki/certificate.ts'
import type { Database } from '../../runtime/sqlite-database.ts'

export const INSTANCE = 'KH-SCALE'
export const MEMBERS = 200
const SUBSYSTEMS_PER_MEMBER = 2
const SERVICES_PER_SUBSYSTEM = 25
/** The provider's gateway speaks for so many members, with 500 services. */
export const PROVIDER_MEMBERS = 10
/** Each of them may be called by so many subsystems: 100,000 pairs. */
export const CLIENTS = 200

export const memberCode = (member: number): string => `MINISTRY${member}`
export const memberId = (member: number): string => `${INSTANCE}/GOV/${memberCode(member)}`
export const gatewayCode = (member: number): string => `GW${member}`
export const gatewayId = (member: number): string => `${memberId(member)}/${gatewayCode(member)}`
export const subsystemIds = (member: number): string[] =>
  Array.from({ length: SUBSYSTEMS_PER_MEMBER }, (_, i) => `${memberId(member)}/REGISTER${i}`)
const serviceCodes = Array.from({ length: SERVICES_PER_SUBSYSTEM }, (_, i) => `service${i}`)
/** Stands for the number of a service in the description of all. */
const MODEL = 987_654_321

const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, i) => from + i)

/** Who the gateway of a member speaks for. */
export const spokenFor = (member: number): number[] =>
  member === 0 ? numbers(0, PROVIDER_MEMBERS) : [member]

/** Everybody who may call, and what: of other members than the provider's. */
export function* pairs(): Generator<{ client: string; service: string }> {
  const clients = numbers(PROVIDER_MEMBERS, PROVIDER_MEMBERS + CLIENTS / SUBSYSTEMS_PER_MEMBER)
  for (const subsystem of numbers(0, PROVIDER_MEMBERS).flatMap(subsystemIds)) {
    for (const code of serviceCodes) {
      for (const client of clients.flatMap(subsystemIds)) {
        yield { client, service: `${subsystem}/${code}` }
      }
    }
  }
}

/** Writes everybody and everything by the catalogue's own functions, and the snapshot of it. */
export async function fillCatalogue(
  db: Database,
  certificates: {
    readonly signing: readonly Certificate[]
    readonly authentication: readonly Certificate[]
  },
  ports: readonly number[],
): Promise<void> {
  const certify = (certificate: Certificate, member: string | null, gateway: string | null) =>
    db.run(
      'INSERT INTO certificate VALUES (?, ?, ?, ?)',
      certificate.thumbprint,
      certificate.der,
      member,
      gateway,
    )
  // Read once as the catalogue reads it, and then repeated under other numbers.
  const { bytes, endpoints } = await readDescription(apiDescription(MODEL))
  const [text, list] = [bytes.toString(), JSON.stringify(endpoints)]
  const described = (number: number): ServiceDescription => {
    const one = Buffer.from(text.replaceAll(String(MODEL), String(number)))
    return {
      bytes: one,
      digest: createHash('sha256').update(one).digest('base64url'),
      endpoints: JSON.parse(list.replaceAll(String(MODEL), String(number))) as Endpoint[],
    }
  }
  let next = 0
  db.transaction(() => {
    for (const member of numbers(0, MEMBERS)) {
      const id = memberId(member)
      db.run('INSERT INTO member VALUES (?, ?)', id, `ក្រសួងទី ${member} · Ministry ${member}`)
      certify(certificates.signing[member]!, id, null)
      for (const subsystem of subsystemIds(member)) {
        const code = subsystem.slice(id.length + 1)
        const title = `Register of ministry ${member}`
        db.run('INSERT INTO subsystem VALUES (?, ?, ?, ?)', subsystem, id, code, title)
        for (const service of serviceCodes) {
          storeService(
            db,
            {
              ...{ id: `${subsystem}/${service}`, subsystem, code: service, validation: null },
              title: `ស្វែងរកក្នុងបញ្ជីទី ${next} · Search of register ${next}`,
              classification: ['public', 'internal', 'personal'][next % 3]!,
            },
            described(next++),
          )
        }
      }
    }
    for (const member of numbers(0, MEMBERS)) {
      const port = ports[member] ?? 20_000 + member
      const id = gatewayId(member)
      const address = `https://127.0.0.1:${port}`
      db.run('INSERT INTO gateway VALUES (?, ?, ?)', id, memberId(member), address)
      certify(certificates.authentication[member]!, null, id)
      for (const client of spokenFor(member).flatMap(subsystemIds)) {
        db.run('INSERT INTO listed_client VALUES (?, NULL, ?, NULL, ?)', id, client, client)
      }
    }
    for (const group of numbers(0, 20)) {
      db.run('INSERT INTO client_group VALUES (?, ?)', `group${group}`, `Group ${group}`)
      for (const client of numbers(0, MEMBERS).filter((m) => m % 20 === group)) {
        const [subsystem = ''] = subsystemIds(client)
        const code = `group${group}`
        db.run('INSERT INTO listed_client VALUES (NULL, ?, ?, NULL, ?)', code, subsystem, subsystem)
      }
    }
    claimSnapshot(db, { instance: INSTANCE, lifetimeMs: 24 * 3_600_000 })
  })
}
