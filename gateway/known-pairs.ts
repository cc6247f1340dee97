/**
 * Which clients may have something at which service, in memory: a call is by one of several names, its own, its
 * member's, its groups', and only those that are here are worth a query. It may know too many, never too few.
 */
export interface KnownPairs {
  add(service: string, client: string): void
  /** Of `clients`, those that are known at a service. */
  of(service: string, clients: readonly string[]): string[]
}

export function createKnownPairs(): KnownPairs {
  const byService = new Map<string, Set<string>>()
  // Each name once, however many services it is known at.
  const names = new Map<string, string>()
  return {
    add: (service, client) => {
      const name = names.get(client) ?? client
      names.set(name, name)
      const known = byService.get(service)
      if (known) known.add(name)
      else byService.set(service, new Set([name]))
    },
    of: (service, clients) => {
      const known = byService.get(service)
      return known === undefined ? [] : clients.filter((client) => known.has(client))
    },
  }
}
