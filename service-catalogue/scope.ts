import { ExchangeError } from '../protocol/errors.ts'
import { checkPart } from '../protocol/identifiers.ts'
import type { createApi, Principal } from '../runtime/admin-api.ts'
import type { Role } from '../runtime/roles.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { invalid, readPathId } from './input.ts'

/** Parts of the identifiers that a role is limited to: a member; a subsystem or a service. */
const SCOPE_PARTS: Partial<Record<Role, readonly number[]>> = {
  'member-admin': [3],
  'service-owner': [4, 5],
}
const PARAMS = ['class', 'member', 'subsystem', 'gateway', 'service']

/** Whether the subject is one of these, or belongs to one. */
export function isWithin(scope: readonly string[] | undefined, subject: string): boolean {
  return scope?.some((id) => subject === id || subject.startsWith(`${id}/`)) ?? true
}

/** @throws ExchangeError `admin.not-permitted`. */
export function verifyScope({ scope }: Principal, subject: string): void {
  if (isWithin(scope, subject)) return
  const detail = `${subject} is not of ${scope?.join(', ')}, which this credential is for`
  throw new ExchangeError('admin.not-permitted', detail)
}

/**
 * What a role is limited to; the operator and auditors are not.
 *
 * @throws ExchangeError `admin.invalid`.
 */
export function readScope(
  instance: string,
  role: Role,
  scope: readonly string[] | undefined,
): readonly string[] | undefined {
  const parts = SCOPE_PARTS[role]
  if (parts === undefined) {
    if (scope === undefined) return undefined
    throw invalid('scope', `the role ${role} is for everything; leave it out`)
  }
  if (scope === undefined || scope.length === 0) {
    throw invalid('scope', `say which ${parts[0] === 3 ? 'members' : 'subsystems or services'}`)
  }
  return [...new Set(scope.map((id) => readScopeId(instance, parts, id)))]
}

function readScopeId(instance: string, parts: readonly number[], id: string): string {
  const given = id.split('/')
  if (given[0] !== instance || !parts.includes(given.length)) {
    const form = ['INSTANCE', 'CLASS', 'MEMBER', 'SUBSYSTEM', 'SERVICE']
    const forms = parts.map((count) => form.slice(0, count).join('/')).join(' or ')
    throw invalid('scope', `${id}: write ${forms}, of the instance ${instance}`)
  }
  try {
    return given.map((part) => checkPart(part)).join('/')
  } catch (cause) {
    if (!(cause instanceof ExchangeError)) throw cause
    throw invalid('scope', cause.message, cause)
  }
}

/**
 * Holds whoever is not the operator to what is theirs, by the identifier in the path of a route; and what they put
 * must be there already, because what is new is approved first. Routes without one ask {@link verifyScope} themselves.
 */
export function createPermit(
  db: Database,
  instance: string,
): NonNullable<Parameters<typeof createApi>[0]['permit']> {
  return (principal, { method, access }, params) => {
    if (principal.role === 'admin' || (access !== 'member-admin' && access !== 'service-owner')) {
      return
    }
    if (params.class === undefined || params.member === undefined) return
    const names = PARAMS.filter((name) => params[name] !== undefined)
    const subject = readPathId(instance, params, names)
    verifyScope(principal, subject)
    if (method !== 'PUT' || params.subsystem === undefined) return
    const table = params.service === undefined ? 'subsystem' : 'service'
    if (db.get(`SELECT id FROM ${table} WHERE id = ?`, subject) !== undefined) return
    const detail = `there is no ${table} ${subject} yet, and a new one needs the operator's approval`
    throw new ExchangeError('admin.approval-needed', detail)
  }
}
