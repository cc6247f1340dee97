import { ExchangeError } from '../../protocol/errors.ts'
import { formatId, type ServiceId } from '../../protocol/identifiers.ts'
import { isMetadataService } from '../../protocol/methods.ts'
import type { Connection, Settings } from '../access/settings.ts'
import type { Services } from '../ports.ts'
import type { HttpServices } from './http-service.ts'
import { answerMetadata } from './metadata.ts'

export interface Connected {
  /** @throws ExchangeError `service.not-connected`; nothing is said of where it is. */
  verifyConnected(service: ServiceId): void
}

/** Answers for what is behind this gateway: the services it is connected to, and their metadata. */
export function createServices(deps: {
  readonly settings: Settings
  readonly http: HttpServices
  readonly description: (digest: string) => Promise<Buffer>
}): Services & Connected {
  const connectionOf = (service: ServiceId): Connection => {
    const connection = deps.settings.connection(formatId(service))
    if (connection !== undefined) return connection
    throw new ExchangeError('service.not-connected', `${formatId(service)} has no address here`)
  }
  return {
    verifyConnected: (service) => {
      if (!isMetadataService(service.service)) connectionOf(service)
    },
    call: async (exchange) => {
      const { service } = exchange.target
      if (isMetadataService(service.service)) {
        return answerMetadata(service.service, exchange, {
          accessRules: deps.settings,
          description: deps.description,
        })
      }
      const connection = connectionOf(service)
      return deps.http.call(connection, exchange)
    },
  }
}
