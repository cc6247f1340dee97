import { ConfigError } from '../../runtime/config.ts'

/** What a certificate is for, and how an identity of that kind is written. */
const FORMS = {
  authentication: 'CLASS/MEMBER/GATEWAY',
  signing: 'CLASS/MEMBER',
  'information-system': 'CLASS/MEMBER[/SUBSYSTEM]',
  server: 'CLASS/MEMBER',
} as const

export type OrderKind = keyof typeof FORMS

export const ORDER_KINDS = Object.keys(FORMS) as OrderKind[]

export interface LocalIdentity {
  readonly memberClass: string
  readonly member: string
  readonly gateway?: string
  readonly subsystem?: string
}

/** @throws ConfigError */
export function readKind(text: string): OrderKind {
  const kind = ORDER_KINDS.find((name) => name === text)
  if (kind !== undefined) return kind
  throw new ConfigError(`${text}: is none of ${ORDER_KINDS.join(', ')}`)
}

/**
 * An identity as it is typed, with or without the instance in front.
 *
 * @throws ConfigError
 */
export function readIdentity(kind: OrderKind, text: string, instance: string): LocalIdentity {
  const form = FORMS[kind]
  const least = form.replace(/\[.*/, '').split('/').length
  const most = form.split('/').length
  const parts = text.split('/')
  const local = parts[0] === instance && parts.length > least ? parts.slice(1) : parts
  const [memberClass, member, last] = local
  if (!memberClass || !member || last === '' || local.length < least || local.length > most) {
    throw new ConfigError(`${text}: write ${form} for a certificate of kind ${kind}`)
  }
  if (last === undefined) return { memberClass, member }
  return kind === 'authentication'
    ? { memberClass, member, gateway: last }
    : { memberClass, member, subsystem: last }
}
