import { ExchangeError } from '../../protocol/errors.ts'
import type { Route } from '../../runtime/admin-api.ts'
import { json, listOf, object, text, whole } from '../../runtime/route-description.ts'
import { PROFILES } from '../profiles.ts'
import type { Authority } from './authority.ts'
import { parseIssueBody, parseRevokeBody, withoutNull } from './bodies.ts'
import {
  CSR_REFUSALS,
  ENTRY,
  FILTER,
  ISSUED,
  LISTS,
  PAGE,
  REVOKED,
  SHOWN,
  STATUS,
} from './admin-schemas.ts'
import type { IssuedCertificate } from './certificate-store.ts'
import { createEnrolmentAdminRoutes } from './enrolment-admin-routes.ts'
import { findIssued } from './revoking.ts'

/** What the administrator of the authority does. */
export function createAdminRoutes({ authority }: { readonly authority: Authority }): Route[] {
  return [
    ...certificateRoutes(authority),
    ...createEnrolmentAdminRoutes({ authority }),
    ...recordRoutes(authority),
  ]
}

function certificateRoutes(authority: Authority): Route[] {
  const { instance } = authority
  return [
    {
      method: 'GET',
      path: '/admin/certificates',
      access: 'admin',
      about: {
        summary: 'Certificates that were issued',
        query: FILTER,
        answers: { 200: json(object({ certificates: listOf(ISSUED) })) },
      },
      handle: ({ query }) => ({
        body: {
          certificates: authority
            .list()
            .filter(readFilter(query, authority.clock()))
            .map((issued) => describe(issued, authority.clock())),
        },
      }),
    },
    {
      method: 'GET',
      path: '/admin/certificates/:serial',
      access: 'admin',
      about: {
        summary: 'A certificate that was issued',
        answers: { 200: json(SHOWN) },
        refusals: ['admin.not-found'],
      },
      handle: ({ params }) => {
        const issued = findIssued(authority, readSerial(params))
        const { certificate, issuer } = issued
        const { ocspUrls, caIssuersUrls, crlUrls, subjectAltNames } = certificate
        const rest = {
          subjectAltNames,
          ocspUrls,
          caIssuersUrls,
          crlUrls,
          certificate: certificate.pem,
        }
        return { body: { ...describe(issued, authority.clock()), issuer, ...rest } }
      },
    },
    {
      method: 'POST',
      path: '/admin/certificates',
      access: 'admin',
      about: {
        summary: 'Issue a certificate',
        body: parseIssueBody,
        answers: { 201: json(object({ certificate: text, chain: text, serial: text })) },
        refusals: CSR_REFUSALS,
      },
      handle: async ({ body }) => {
        const { csr, kind, identity, ...given } = withoutNull(parseIssueBody(body))
        const order = { csr, kind, identity: { instance, ...withoutNull(identity) }, ...given }
        const certificate = await authority.issue(order)
        const { issuer } = findIssued(authority, certificate.serial)
        const above = issuer === 'root' ? '' : authority.issuers[issuer].pem
        return {
          status: 201,
          body: {
            certificate: certificate.pem,
            chain: above + authority.root.pem,
            serial: certificate.serial,
          },
        }
      },
    },
    {
      method: 'POST',
      path: '/admin/certificates/:serial/revoke',
      access: 'admin',
      about: {
        summary: 'Revoke a certificate',
        details: 'For good: a second time changes nothing.',
        body: parseRevokeBody,
        answers: { 200: json(REVOKED) },
        refusals: ['admin.not-found', 'admin.conflict'],
      },
      handle: ({ params, body }) => {
        const { reason } = parseRevokeBody(body)
        const revoked = authority.revoke(readSerial(params), reason)
        const { issuer } = revoked
        const nextListAt = authority.revocationLists.nextIssueAt(issuer)
        return { body: { ...describe(revoked, authority.clock()), issuer, nextListAt } }
      },
    },
  ]
}

const readSerial = ({ serial = '' }: Readonly<Record<string, string>>): string =>
  serial
    .toLowerCase()
    .replace(/[: ]/g, '')
    .replace(/^0+(?=.)/, '')

const DAY_MS = 86_400_000

/** `kind`, `state` (valid, expired, revoked) and `expiring`, in days. */
function readFilter(query: URLSearchParams, at: Date): (issued: IssuedCertificate) => boolean {
  const [kind, state, expiring] = ['kind', 'state', 'expiring'].map((name) => query.get(name))
  if (kind && !Object.hasOwn(PROFILES, kind)) {
    throw new ExchangeError(
      'admin.invalid',
      `kind: ${kind} is none of ${Object.keys(PROFILES).join(', ')}`,
    )
  }
  if (state && !['valid', 'expired', 'revoked'].includes(state)) {
    throw new ExchangeError('admin.invalid', `state: ${state} is none of valid, expired, revoked`)
  }
  if (expiring && !/^\d{1,5}$/.test(expiring)) {
    throw new ExchangeError('admin.invalid', `expiring: ${expiring} is not a number of days`)
  }
  return (issued) => {
    if (kind && issued.kind !== kind) return false
    if (state && stateOf(issued, at) !== state) return false
    const leftMs = issued.certificate.notAfter.getTime() - at.getTime()
    return !expiring || (leftMs > 0 && leftMs <= Number(expiring) * DAY_MS)
  }
}

function stateOf(
  { certificate, revocation }: IssuedCertificate,
  at: Date,
): 'valid' | 'expired' | 'revoked' {
  if (revocation !== undefined) return 'revoked'
  return certificate.notAfter < at ? 'expired' : 'valid'
}

function describe(issued: IssuedCertificate, at: Date): object {
  const { certificate, kind, issuedAt, enrolment, revocation } = issued
  const { serial, subject, thumbprint, notBefore, notAfter } = certificate
  const state = stateOf(issued, at)
  return {
    ...{ serial, kind, state, subject, thumbprint, notBefore, notAfter, issuedAt, enrolment },
    ...revocation,
  }
}

const MAX_ENTRIES = 1000

function recordRoutes(authority: Authority): Route[] {
  const { instance, root, issuers, revocationLists, journal, approvals } = authority
  const lists = () =>
    revocationLists.newest().map(({ issuer, number, thisUpdate, nextUpdate }) => ({
      ...{ issuer, number, thisUpdate, nextUpdate },
    }))
  const brief = ({ thumbprint, notAfter }: typeof root) => ({ thumbprint, notAfter })
  return [
    {
      method: 'GET',
      path: '/admin/status',
      access: 'admin',
      about: { summary: 'State of the authority', answers: { 200: json(STATUS) } },
      handle: () => ({
        body: {
          program: 'authority',
          instance,
          ready: true,
          root: { ...brief(root), keyPresent: authority.isRootKeyPresent() },
          authentication: brief(issuers.authentication),
          signing: brief(issuers.signing),
          certificates: authority.counts(),
          revocationLists: lists(),
          pendingRequests: approvals.pending(),
          warnings: authority.warnings(),
        },
      }),
    },
    {
      method: 'GET',
      path: '/admin/revocation-lists',
      access: 'admin',
      about: { summary: 'Revocation lists', answers: { 200: json(LISTS) } },
      handle: () => ({ body: { revocationLists: lists() } }),
    },
    {
      method: 'POST',
      path: '/admin/revocation-lists',
      access: 'admin',
      about: { summary: 'Issue revocation lists now', answers: { 200: json(LISTS) } },
      handle: async () => {
        await revocationLists.issueNow()
        return { body: { revocationLists: lists() } }
      },
    },
    {
      method: 'GET',
      path: '/admin/journal',
      access: 'admin',
      about: {
        summary: 'What the authority did and refused',
        query: PAGE,
        answers: { 200: json(object({ entries: listOf(ENTRY) }, { next: whole })) },
      },
      handle: ({ query }) => {
        const [after, limit] = [count(query, 'after', 0), count(query, 'limit', 100)]
        const entries = journal.list(after, Math.min(limit, MAX_ENTRIES))
        const next = entries.at(-1)?.position
        return { body: { entries, ...(entries.length < limit ? {} : { next }) } }
      },
    },
  ]
}

function count(query: URLSearchParams, name: string, fallback: number): number {
  const text = query.get(name)
  if (text === null) return fallback
  if (!/^\d{1,15}$/.test(text)) throw new ExchangeError('admin.invalid', `${name}: is no number`)
  return Number(text)
}
