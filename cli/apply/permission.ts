/** What a credential may change itself, and for what it asks the operator; the catalogue decides in the end. */
import type { Caller, Step } from './step.ts'

type Asked = Pick<Step, 'section' | 'verb' | 'changed' | 'target'>

/** Sections in which somebody but the operator changes something. */
const MEMBER_ADMIN = ['members', 'gateways', 'subsystems', 'services', 'webhooks']
const SERVICE_OWNER = ['services', 'webhooks']

export const isWithin = ({ scope }: Caller, key: string): boolean =>
  scope?.some((id) => key === id || key.startsWith(`${id}/`)) ?? true

/** Whether it needs the operator's approval. */
export function isAsked({ section, verb, changed }: Asked, { role }: Caller): boolean {
  if (role === 'admin' || section.asks === undefined || verb === 'delete') return false
  const { kind, fields } = section.asks
  if (kind === 'subsystem' || kind === 'service') return verb === 'create'
  return changed.some((field) => fields.includes(field))
}

/** Why it is not for this caller; undefined when it may be. */
export function refusalOf({ section, verb, target }: Asked, { role }: Caller): string | undefined {
  if (role === 'admin') return undefined
  const mine =
    role === 'member-admin' ? MEMBER_ADMIN : role === 'service-owner' ? SERVICE_OWNER : []
  const removable = role === 'member-admin' ? ['subsystems', 'services'] : []
  const allowed = verb === 'delete' ? removable : mine
  if (!target.isCatalogue || allowed.includes(section.name)) return undefined
  return `the role ${role} cannot ${verb} it`
}
