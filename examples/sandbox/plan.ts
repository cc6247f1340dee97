import { join } from 'node:path'

/** The sandbox's federation, as data: who is in it, on which ports, with which registers. */
export interface GatewayPlan {
  /** Name of its folder and in the command's profile. */
  readonly name: string
  readonly memberClass: string
  readonly member: string
  readonly memberName: string
  readonly gateway: string
  readonly subsystem: string
  readonly subsystemName: string
  readonly peerPort: number
  readonly adminPort: number
  /** For everybody: the tree of the log. */
  readonly transparencyPort: number
  /** Ports for information systems; 0 is closed. */
  readonly httpPort: number
  readonly httpsPort: number
  readonly register?: RegisterPlan
  /** Where its log is in a PostgreSQL database; else it is in SQLite. */
  readonly postgresUrlFile?: string
}
export interface RegisterPlan {
  readonly service: string
  readonly title: string
  readonly file: string
  /** Undefined: `code`, or the first column. */
  readonly key?: string
  readonly port: number
}
export interface SandboxPlan {
  readonly instance: string
  /** Everything made stands below this folder. */
  readonly dir: string
  readonly authority: {
    readonly publicPort: number
    readonly adminPort: number
    readonly estPort: number
  }
  readonly cataloguePort: number
  readonly gateways: readonly GatewayPlan[]
}

export const HOST = '127.0.0.1'
/** The seed and number of the people in CIVIL_REGISTRY/persons, who do not exist. */
export const PEOPLE = { seed: 20_260_101, count: 5000 }

export function sandboxPlan(options: {
  readonly dir: string
  readonly offset: number
  /** CSV behind GAZETTEER/places. */
  readonly data: string
  readonly key?: string
}): SandboxPlan {
  const { dir, offset, data, key } = options
  return {
    instance: 'KH-DEV',
    dir,
    authority: { publicPort: 4080 + offset, adminPort: 4081 + offset, estPort: 4083 + offset },
    cataloguePort: 4082 + offset,
    gateways: [
      {
        name: 'moi',
        memberClass: 'GOV',
        member: 'MOI',
        memberName: 'Ministry of Interior',
        gateway: 'MOI-1',
        subsystem: 'CIVIL_REGISTRY',
        subsystemName: 'Civil registry',
        peerPort: 5501 + offset,
        adminPort: 4001 + offset,
        transparencyPort: 5601 + offset,
        httpPort: 0,
        httpsPort: 0,
        register: {
          service: 'persons',
          title: 'People of the civil registry (synthetic)',
          file: join(dir, 'registers', 'persons.csv'),
          key: 'person_id',
          port: 9001 + offset,
        },
      },
      {
        name: 'ncdd',
        memberClass: 'GOV',
        member: 'NCDD',
        memberName: 'National Committee for Sub-National Democratic Development',
        gateway: 'NCDD-1',
        subsystem: 'GAZETTEER',
        subsystemName: 'Gazetteer',
        peerPort: 5502 + offset,
        adminPort: 4002 + offset,
        transparencyPort: 5602 + offset,
        httpPort: 0,
        httpsPort: 0,
        register: {
          service: 'places',
          title: 'Places of the gazetteer',
          file: data,
          ...(key === undefined ? {} : { key }),
          port: 9002 + offset,
        },
      },
      {
        name: 'mekongbank',
        memberClass: 'COM',
        member: 'MEKONGBANK',
        memberName: 'Mekong Bank',
        gateway: 'MEKONGBANK-1',
        subsystem: 'KYC',
        subsystemName: 'Know your customer',
        peerPort: 5503 + offset,
        adminPort: 4003 + offset,
        transparencyPort: 5603 + offset,
        httpPort: 8080 + offset,
        httpsPort: 8443 + offset,
      },
    ],
  }
}
