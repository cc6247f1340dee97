import { ExchangeError } from '../protocol/errors.ts'

/** What a credential is good for; `admin` is the operator of the program. */
export const ROLES = ['admin', 'member-admin', 'service-owner', 'auditor'] as const
export type Role = (typeof ROLES)[number]

/** Who may call a route, by the lowest role: see {@link PERMITTED}. */
export type Access = 'public' | 'admin' | 'auditor' | 'member-admin' | 'service-owner' | 'reader'

/** Auditors read all and change nothing; a member's administrator may do what its service owners may. */
export const PERMITTED: Readonly<Record<Exclude<Access, 'public'>, readonly Role[]>> = {
  admin: ['admin'],
  auditor: ['admin', 'auditor'],
  'member-admin': ['admin', 'member-admin'],
  'service-owner': ['admin', 'member-admin', 'service-owner'],
  reader: ROLES,
}

const WORDS: Readonly<Record<Role, string>> = {
  admin: 'the administrator',
  'member-admin': 'administrators of members',
  'service-owner': 'service owners',
  auditor: 'auditors',
}

/** @throws ExchangeError `admin.not-permitted`, saying for whom the route is. */
export function verifyRole(role: Role, access: Exclude<Access, 'public'>): void {
  const permitted = PERMITTED[access]
  if (permitted.includes(role)) return
  const whom = permitted.map((each) => WORDS[each]).join(', ')
  throw new ExchangeError('admin.not-permitted', `this is for ${whom}, not for ${WORDS[role]}`)
}
