import { CertificateError, parseCertificate, type Certificate } from '../pki/certificate.ts'
import { formatIdentity, type CertificateIdentity } from '../pki/identity.ts'
import { revocationWords, verifyOcspResponse } from '../pki/ocsp-verify.ts'
import { ExchangeError } from '../protocol/errors.ts'
import { formatId, memberOf, readClientId, readGatewayId } from '../protocol/identifiers.ts'
import {
  parseRegistration,
  verifyRegistration,
  type Registration,
} from '../protocol/registration.ts'
import type { Route } from '../runtime/admin-api.ts'
import { ENCODING_REFUSALS, object, putAnswers, whole } from '../runtime/route-description.ts'
import { approvedAuthorities } from './approved-authorities.ts'
import { readOwner } from './certificate-owner.ts'
import { certificatesOf } from './certificates.ts'
import type { CatalogueConfig } from './config.ts'
import type { CatalogueContext } from './context.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { findGateway, GATEWAY, readOrigin, type GatewayView } from './gateways.ts'
import { clientsOf, replaceClients } from './listed-clients.ts'
import { registerKeys } from './log-keys.ts'
import { composeLogPolicy } from './log-policy.ts'
import { ask, decide, findDecided, findPending, isSameBody } from './requests.ts'

type Policy = CatalogueConfig['registration']

/** A certificate of a registration that was found to be right, and whose it is. */
interface Entry {
  readonly certificate: Certificate
  readonly owner: 'gateway' | 'member'
  readonly id: string
}

const REGISTRATION_REFUSALS = [
  ...(['registration.malformed', 'registration.signature-invalid'] as const),
  ...(['registration.time-invalid', 'registration.not-allowed'] as const),
  ...(['registration.approval-pending', 'admin.conflict'] as const),
  ...ENCODING_REFUSALS,
  ...(['certificate.malformed', 'certificate.untrusted', 'certificate.issuer-missing'] as const),
  ...(['certificate.expired', 'certificate.not-yet-valid', 'certificate.revoked'] as const),
  ...(['certificate.status-unknown', 'certificate.status-stale'] as const),
]
const MAX_CERTIFICATES = 64
const MAX_STATE_AGE_MS = 3_600_000

/** Gateways register their own certificates: `POST /registrations` (protocol/README.md §7.7). */
export function createRegistrationRoutes(context: CatalogueContext): Route[] {
  return [
    {
      method: 'POST',
      path: '/registrations',
      access: 'public',
      about: {
        summary: 'A gateway registers its certificates and keys',
        details: 'Signed by the gateway (protocol/README.md §7.7).',
        answers: putAnswers(object({ gateway: GATEWAY, snapshotNumber: whole })),
        refusals: REGISTRATION_REFUSALS,
      },
      rawBody: 'application/jose',
      handle: async ({ body }) => {
        const registration = await verify(context, body)
        const { db, changes, publisher, clock } = context
        const { gateway } = registration
        if (context.registration === 'approval' && findGateway(db, gateway) === undefined) {
          throw askForGateway(context, registration)
        }
        const { status, body: view } = await changes.put({
          actor: `gateway ${gateway}`,
          action: 'register-gateway',
          subject: `gateway ${gateway}`,
          read: () => readRegistered(db, gateway),
          apply: () => {
            ensureGateway(db, registration, context.registration)
            for (const entry of readEntries(db, registration, clock())) list(db, entry)
            registerKeys(db, registration)
          },
        })
        const { gateway: registered } = view as Registered
        const { number } = publisher.current()
        return {
          ...(status === undefined ? {} : { status }),
          body: { gateway: registered, snapshotNumber: number },
        }
      },
    },
  ]
}

/** The signer is the gateway, by a certificate that is good now. */
async function verify({ db, clock }: CatalogueContext, body: unknown): Promise<Registration> {
  const at = clock()
  const jws = Buffer.isBuffer(body) ? body.toString('latin1') : ''
  const parsed = parseRegistration(jws)
  const [signer, ...others] = parsed.header.x5c.map((der) => read(der))
  await verifyRegistration(parsed, signer!.publicKey, at)
  const approved = approvedAuthorities(db)
  const intermediates = [...approved.intermediates, ...others]
  const asked = { ...approved, intermediates, at, purpose: 'authentication' } as const
  const { path, identity } = readOwner(signer!, asked)
  const issuer = path[1]
  const { registration } = parsed
  const der = Buffer.from(registration.ocsp, 'base64')
  // A path has two certificates at least.
  const state = verifyOcspResponse(der, { certificate: signer!, issuer: issuer!, at })
  if (state.status === 'revoked') {
    throw new ExchangeError(
      'certificate.revoked',
      `the certificate ${signer!.subject} (serial ${signer!.serial}) ${revocationWords(state)}`,
    )
  }
  // An older answer may be one of before a revocation: whoever registers asks anew.
  if (at.getTime() - state.thisUpdate.getTime() > MAX_STATE_AGE_MS) {
    throw new ExchangeError(
      'certificate.status-stale',
      `the OCSP answer about ${signer!.subject} is of ${state.thisUpdate.toISOString()}; send one that is at most an hour old`,
    )
  }
  if (gatewayOf(identity) === registration.gateway) return registration
  throw refused(`the signer is ${signer!.subject}, and not gateway ${registration.gateway}`)
}

function ensureGateway(db: Database, registration: Registration, policy: Policy): void {
  const { gateway: id } = registration
  if (findGateway(db, id) !== undefined) return
  if (policy === 'known-gateways') {
    throw refused(`gateway ${id} is not registered, and this catalogue takes no new ones`)
  }
  const { member, address, clients } = readNewGateway(db, registration)
  db.run('INSERT INTO gateway VALUES (?, ?, ?)', id, member, address)
  replaceClients(db, 'gateway', id, clients)
}

function readNewGateway(db: Database, { gateway: id, address, clients }: Registration) {
  if (address === undefined || clients === undefined) {
    throw refused(`gateway ${id} is not registered; a new one says its address and clients`)
  }
  const member = memberOf(readGatewayId(id))
  if (db.get('SELECT id FROM member WHERE id = ?', member) === undefined) {
    throw refused(`there is no member ${member}; the operator registers it first`)
  }
  const read = clients.map((text, i) => {
    const client = readClientId(text)
    const isOwn = client.subsystem !== undefined && memberOf(client) === member
    if (!isOwn || db.get('SELECT id FROM subsystem WHERE id = ?', text) === undefined) {
      throw refused(`${text} is no registered subsystem of ${member}`)
    }
    return { id: text, isMember: false, field: `clients/${i}` }
  })
  return { member, address: readAddress(address), clients: read }
}

/** Until the operator has decided, the gateway registers again and again: that is one request. */
function askForGateway(context: CatalogueContext, registration: Registration): ExchangeError {
  const { db } = context
  const { gateway: subject } = registration
  const { address, clients } = readNewGateway(db, registration)
  const body = { address, clients: clients.map(({ id }) => id) }
  const decided = findDecided(db, 'gateway', subject)
  if (decided?.state === 'refused' && isSameBody(decided, body)) {
    return refused(`the operator refused gateway ${subject}: ${decided.decision}`)
  }
  const actor = `gateway ${subject}`
  const waiting = findPending(db, 'gateway', subject)
  const isSame = waiting !== undefined && isSameBody(waiting, body)
  if (waiting && !isSame && waiting.person === actor) {
    const reason = 'the gateway registers with another address or other clients'
    decide(context, waiting, { state: 'withdrawn', name: actor, actor, reason })
  }
  const reason = 'registers itself'
  const asked = {
    kind: 'gateway',
    subject,
    body,
    reason,
    requestedBy: actor,
    person: actor,
  } as const
  // One that a person asked for stands, whatever the gateway says
  const stands = waiting !== undefined && (isSame || waiting.person !== actor)
  const { id } = stands ? waiting : ask(context, asked, actor)
  return new ExchangeError(
    'registration.approval-pending',
    `gateway ${subject} waits for the approval of the operator, as request ${id}`,
  )
}

function readAddress(text: string): string {
  try {
    return readOrigin('address', text)
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error
    throw new ExchangeError('registration.malformed', error.message, { cause: error })
  }
}

function readEntries(db: Database, registration: Registration, at: Date): Entry[] {
  const { gateway, certificates } = registration
  const clients = clientsOf(db, 'gateway', gateway).map((id) => memberOf(readClientId(id)))
  const members = new Set([memberOf(readGatewayId(gateway)), ...clients])
  return certificates.map(({ kind, der }) => {
    const certificate = read(der)
    const { identity } = readOwner(certificate, { ...approvedAuthorities(db), at, purpose: kind })
    const { subject } = certificate
    if (kind === 'authentication') {
      if (gatewayOf(identity) === gateway) return { certificate, owner: 'gateway', id: gateway }
      throw refused(`the certificate of ${subject} is not one of gateway ${gateway}`)
    }
    const member = identity && `${identity.instance}/${identity.memberClass}/${identity.member}`
    if (member !== undefined && members.has(member)) {
      return { certificate, owner: 'member', id: member }
    }
    const named = identity ? formatIdentity(identity) : subject
    throw refused(`gateway ${gateway} does not speak for ${named}, whose certificate this is`)
  })
}

function list(db: Database, { certificate, owner, id }: Entry): void {
  const { thumbprint, der } = certificate
  db.run(
    `INSERT INTO certificate (thumbprint, der, ${owner}) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
    thumbprint,
    der,
    id,
  )
  if (certificatesOf(db, owner, id).length <= MAX_CERTIFICATES) return
  throw refused(`${owner} ${id} has ${MAX_CERTIFICATES} certificates already`)
}

interface Registered {
  readonly gateway: GatewayView
  /** Of the members that it signs for: so a change of theirs is a change. */
  readonly signing: readonly object[]
  /** Of all gateways. */
  readonly logPolicy: string | undefined
}

function readRegistered(db: Database, id: string): Registered | undefined {
  const gateway = findGateway(db, id)
  if (gateway === undefined) return undefined
  const members = gateway.clients.map((client) => memberOf(readClientId(client)))
  const all = new Set([memberOf(readGatewayId(id)), ...members])
  const signing = [...all].map((member) => certificatesOf(db, 'member', member))
  return { gateway, signing, logPolicy: composeLogPolicy(db) }
}

function gatewayOf(identity: CertificateIdentity | undefined): string | undefined {
  const { gateway } = identity ?? {}
  return identity && gateway !== undefined ? formatId({ ...identity, gateway }) : undefined
}

/** @throws ExchangeError with the code of the fault. */
function read(base64: string): Certificate {
  try {
    return parseCertificate(Buffer.from(base64, 'base64'))
  } catch (cause) {
    if (!(cause instanceof CertificateError)) throw cause
    throw new ExchangeError(cause.code, cause.message, { cause })
  }
}

const refused = (detail: string): ExchangeError =>
  new ExchangeError('registration.not-allowed', detail)
