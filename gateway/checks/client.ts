import { ExchangeError } from '../../protocol/errors.ts'
import { formatId, type ClientId } from '../../protocol/identifiers.ts'
import type { CatalogueView } from '../catalogue-view.ts'
import type { Check } from './check.ts'

interface NamedClient {
  readonly client: ClientId
  readonly catalogue: CatalogueView
  /** This gateway. */
  readonly gateway: string
}

/** Of `identify-client`, by the snapshot (protocol/README.md §6.1). @throws ExchangeError `client.*`. */
export const CLIENT_CHECKS: readonly Check<NamedClient>[] = [
  {
    name: 'client is registered',
    verify: ({ client, catalogue }) => {
      if (catalogue.isRegistered(client)) return
      const detail = `${formatId(client)} is not registered in ${catalogue.instance}`
      throw new ExchangeError('client.unknown', detail)
    },
  },
  {
    name: 'gateway serves the client',
    needs: ['client is registered'],
    verify: ({ client, catalogue, gateway }) => {
      const name = formatId(client)
      if (catalogue.gateway(gateway)?.clients.has(name)) return
      throw new ExchangeError('client.not-served', `${name} is not a client of gateway ${gateway}`)
    },
  },
]
