import type { Command } from 'commander'
import type { ApiClient } from '../../runtime/api-client.ts'
import { profileOf } from '../context.ts'
import { printJson, printTable } from '../output.ts'
import { witnessNotes, type WitnessedStatus } from './status-witnesses.ts'

interface OwnCertificate {
  readonly notAfter: string
  /** Whether a newer one for the same purpose is there. */
  readonly superseded?: boolean
  readonly subject?: string
  readonly thumbprint?: string
  /** Why it is not in use, as far as this is known. */
  readonly lack?: string
  /** Why others do not take it. */
  readonly fault?: string
}
interface Status extends WitnessedStatus {
  program?: string
  snapshot?: { number: number; expiresAt: string }
  snapshotNumber?: number
  expiresAt?: string
  catalogue?: { heardAt?: string; fault?: string }
  /** Of a gateway: the one it works by; of the catalogue: the newest. */
  anchor?: { number: number; fault?: string }
  /** A gateway lists its own; the authority counts what it issued. */
  certificates?: OwnCertificate[] | Record<string, number>
  renewal?: { kind: string; owner: string; failure?: { code: string; detail: string } }[]
  notices?: { kind: string; owner: string; days: number; notAfter: string }[]
  expiringCertificates?: unknown[]
  ocsp?: OcspState[]
  timeStamping?: {
    state: string
    oldestUnstampedAt?: string
    refusedFrom?: string
    fault?: { code: string; detail: string; remedy: string }
    authorities: { name: string; fault?: { code: string; detail: string } }[]
  }
  log?: {
    space?: { state: string; reason?: string }
    archive?: { fault?: string }
  }
  /** Of what signatures were judged by, for evidence. */
  validation?: { waiting: number; fault?: string }
  /** Of a gateway's exchange log. */
  tree?: { fault?: string; oldestWaitingAt?: string }
  /** How far a gateway's clock is off, when that is known. */
  clock?: { offsetMs: number; against: string }
  /** In sentences. */
  warnings?: string[]
  pendingRequests?: number
}

interface OcspState {
  subject: string
  thumbprint?: string
  /** A certificate of this very gateway. */
  own?: boolean
  status: string
  ageSeconds?: number
  usableUntil?: string
  fault?: string
}

/** `spean status`: every program of the profile on one page; exit code 1 unless all are well. */
export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description('how every program of the profile is')
    .action(async (_options: object, command: Command) => {
      const profile = profileOf(command)
      const targets = [
        ...(profile.hasAuthority ? [target('authority', () => profile.authority())] : []),
        ...(profile.hasCatalogue ? [target('catalogue', () => profile.catalogue())] : []),
        ...profile.gatewayNames.map((name) => target(name, () => profile.gateway(name))),
      ]
      const results = await Promise.all(targets.map(([name, open]) => ask(name, open)))
      if (command.optsWithGlobals<{ json?: boolean }>().json) printJson(results)
      else {
        printTable(
          ['PROGRAM', 'STATE', 'SNAPSHOT', 'ANCHOR', 'UNTIL', 'CERTIFICATES UNTIL', 'NOTE'],
          results.map(({ name, status, notes }) => [
            name,
            notes.length === 0 ? 'ok' : 'attention',
            status?.snapshot?.number ?? status?.snapshotNumber,
            status?.anchor?.number,
            status?.snapshot?.expiresAt ?? status?.expiresAt,
            firstEnd(status),
            notes.join('; '),
          ]),
        )
      }
      if (results.some(({ notes }) => notes.length > 0)) process.exitCode = 1
    })
}

const target = (name: string, open: () => ApiClient): [string, () => ApiClient] => [name, open]

interface Result {
  readonly name: string
  readonly status?: Status
  readonly notes: readonly string[]
}

async function ask(name: string, open: () => ApiClient): Promise<Result> {
  try {
    await using api = open()
    const status = await api.call<Status>('GET', '/admin/status')
    return { name, status, notes: attention(status) }
  } catch (error) {
    return { name, notes: [error instanceof Error ? error.message : String(error)] }
  }
}

/** What a person should look at. */
export function attention(status: Status): string[] {
  const { program, snapshot, expiresAt, catalogue, certificates } = status
  const { ocsp = [], expiringCertificates = [], renewal = [], notices = [] } = status
  const { warnings = [], pendingRequests = 0, clock } = status
  const unknown = ocsp.filter(({ status, fault }) => status === 'unknown' && fault !== undefined)
  const isOver = (time: string | undefined): boolean =>
    time !== undefined && Date.parse(time) < Date.now()
  const own = Array.isArray(certificates) ? certificates : []
  const ended = own.filter(({ notAfter, superseded }) => !superseded && isOver(notAfter))
  return [
    ...(program === 'gateway' && snapshot === undefined ? ['no snapshot'] : []),
    ...(catalogue?.fault ? [`catalogue: ${catalogue.fault}`] : []),
    ...(status.anchor?.fault ? [`anchor: ${status.anchor.fault}`] : []),
    ...(isOver(snapshot?.expiresAt ?? expiresAt) ? ['the snapshot has expired'] : []),
    ...own.flatMap(({ fault }) => fault ?? []),
    ...ended.map(
      ({ subject = 'a certificate', notAfter }) => `${subject} ended at ${notAfter}; ${ANOTHER}`,
    ),
    ...(expiringCertificates.length > 0
      ? [`registered certificates that end soon: ${expiringCertificates.length}`]
      : []),
    ...notices.map(
      ({ kind, owner, days, notAfter }) =>
        `the certificate for ${kind} of ${owner} ends within ${days} days, at ${notAfter}`,
    ),
    ...renewal.flatMap(({ kind, owner, failure }) =>
      failure ? [`renewal for ${kind} of ${owner} fails (${failure.code}): ${failure.detail}`] : [],
    ),
    ...revokedNotes(ocsp, own),
    ...(unknown.length > 0 ? [`state not known: ${named(unknown)}`] : []),
    ...treeNotes(status),
    ...logNotes(status),
    ...timeStampNotes(status),
    ...(status.validation?.fault ? [validationNote(status.validation)] : []),
    ...witnessNotes(status),
    ...unheard(ocsp),
    ...(clock && Math.abs(clock.offsetMs) >= CLOCK_MS ? [clockNote(clock)] : []),
    ...warnings,
    ...(pendingRequests > 0 ? [`enrolments that wait for approval: ${pendingRequests}`] : []),
  ]
}

const ANOTHER = 'spean enroll --replace with a new code gets another'

/** Its own by when and why, which asks for a hand; those of others by name. */
function revokedNotes(
  ocsp: readonly OcspState[],
  certificates: readonly OwnCertificate[],
): string[] {
  const revoked = ocsp.filter(({ status }) => status === 'revoked')
  const others = revoked.filter(({ own }) => !own)
  const lackOf = ({ subject, thumbprint }: OcspState): string =>
    certificates.find((certificate) => certificate.thumbprint === thumbprint)?.lack ??
    `${subject} is revoked`
  return [
    ...revoked.filter(({ own }) => own).map((state) => `${lackOf(state)}; ${ANOTHER}`),
    ...(others.length > 0 ? [`revoked, of others: ${named(others)}`] : []),
  ]
}

function named(states: readonly OcspState[]): string {
  const subjects = states.slice(0, 2).map(({ subject }) => subject)
  const more = states.length - subjects.length
  return subjects.join(' and ') + (more > 0 ? ` and ${more} more` : '')
}

function treeNotes({ tree }: Status): string[] {
  if (tree?.fault === undefined) return []
  const since = tree.oldestWaitingAt === undefined ? '' : ` since ${tree.oldestWaitingAt}`
  return [`the tree of the exchange log does not grow${since} (${tree.fault})`]
}

/** The log runs out of room, or what is old cannot leave it. */
function logNotes({ log }: Status): string[] {
  const { space, archive } = log ?? {}
  return [
    ...(space === undefined || space.state === 'ok'
      ? []
      : [
          `the exchange log runs out of room: ${space.reason} (spean log archive, or a larger disk)`,
        ]),
    ...(archive?.fault === undefined ? [] : [`the log is not archived: ${archive.fault}`]),
  ]
}

/** Records wait for a time-stamp, or an authority that could give one failed while another did. */
function timeStampNotes({ timeStamping }: Status): string[] {
  if (timeStamping === undefined) return []
  const { state, oldestUnstampedAt, refusedFrom, fault, authorities } = timeStamping
  const failed = authorities.flatMap((authority) => authority.fault?.detail ?? [])
  if (state !== 'ok') {
    const why = fault === undefined ? '' : ` (${fault.code}: ${fault.detail}. ${fault.remedy})`
    const is = state === 'over' ? 'are refused since' : 'will be refused from'
    const refused = refusedFrom === undefined ? '' : `; exchanges ${is} ${refusedFrom}`
    return [`records without time-stamp since ${oldestUnstampedAt}${refused}${why}`]
  }
  return fault === undefined ? failed : [`${fault.detail}. ${fault.remedy}`]
}

const validationNote = ({ waiting, fault }: NonNullable<Status['validation']>): string =>
  `${waiting} certificates and OCSP answers wait to be kept for evidence: ${fault}`

/** The certificate whose state is used longest ago without a new one; the others are counted. */
function unheard(ocsp: readonly OcspState[]): string[] {
  const [first, ...others] = ocsp
    .filter(({ status, fault }) => status === 'good' && fault !== undefined)
    .toSorted((a, b) => (a.usableUntil ?? '').localeCompare(b.usableUntil ?? ''))
  if (first === undefined) return []
  const { subject, ageSeconds = 0, usableUntil = '' } = first
  const more = others.length > 0 ? `, and ${others.length} more` : ''
  const isOver = Date.parse(usableUntil) < Date.now()
  const until = isOver ? `not used since ${usableUntil}` : `used until ${usableUntil}`
  return [`OCSP of ${subject} not heard for ${age(ageSeconds)}; ${until}${more}`]
}

function age(seconds: number): string {
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.floor(seconds / 60)} min` : `${Math.floor(seconds / 3600)} h`
}

/** As the gateway warns. */
const CLOCK_MS = 5000

const clockNote = ({ offsetMs, against }: NonNullable<Status['clock']>): string =>
  `the clock is ${Math.round(Math.abs(offsetMs) / 1000)} s ${offsetMs > 0 ? 'ahead of' : 'behind'} ${against}`

function firstEnd(status: Status | undefined): string | undefined {
  const own = status?.certificates
  if (!Array.isArray(own)) return undefined
  const newest = own.filter(({ superseded }) => !superseded)
  return newest.map(({ notAfter }) => notAfter).toSorted()[0]
}
