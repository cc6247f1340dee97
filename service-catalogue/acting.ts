import { AsyncLocalStorage } from 'node:async_hooks'
import { ADMINISTRATOR, type Principal } from '../runtime/admin-api.ts'

/**
 * Whoever called the route that is being answered. It is not passed from function to function, so that no
 * change can be made in somebody else's name, or in nobody's.
 */
export interface Acting {
  readonly principal: Principal | undefined
  /** Puts the act into the audit trail, as done; called inside of the transaction that does it. */
  readonly record: () => void
}

const acting = new AsyncLocalStorage<Acting>()

export function actAs<T>(who: Acting, work: () => T): T {
  return acting.run(who, work)
}

/** The operator's own token when nothing else is said. */
export function actingPrincipal(): Principal {
  return acting.getStore()?.principal ?? ADMINISTRATOR
}

/** For events. */
export function actingName(): string {
  const { role, name, credential } = actingPrincipal()
  if (credential === undefined) return role
  return `${name} (${credential})`
}

export function recordAct(): void {
  acting.getStore()?.record()
}

/** Who stands behind a credential: the same text for all credentials of one person. */
export function personOf({ person = 'operator' }: Principal): string {
  return person.normalize('NFC').toLowerCase()
}
