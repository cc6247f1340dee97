import { ExchangeError } from '../../protocol/errors.ts'
import { formatId } from '../../protocol/identifiers.ts'
import { isMetadataService } from '../../protocol/methods.ts'
import { verifyNotRetired } from '../../protocol/service-life.ts'
import { verifyNotStopped, type GatewayEntry } from '../catalogue-view.ts'
import type { Identified } from '../exchange-state.ts'
import type { Check } from './check.ts'

export type Sought = Pick<Identified, 'catalogue' | 'client' | 'target' | 'receivedAt'> & {
  readonly call: Pick<Identified['call'], 'securityServer'>
}

/**
 * Of `resolve-service` (protocol/README.md §6.1).
 *
 * @throws ExchangeError `access.stopped`, `provider.unknown`, `service.unknown`, `service.retired`, `provider.no-gateway`.
 */
export const PROVIDER_CHECKS: readonly Check<Sought>[] = [
  {
    name: 'nothing of it is stopped',
    verify: ({ catalogue, client, target }) => verifyNotStopped(catalogue, client, target.service),
  },
  {
    name: 'provider is registered',
    verify: ({ catalogue, target }) => {
      const provider = providerOf(target)
      if (catalogue.servicesOf(provider) !== undefined) return
      throw new ExchangeError('provider.unknown', `${provider} is not registered`)
    },
  },
  {
    name: 'service is registered',
    needs: ['provider is registered'],
    verify: ({ catalogue, target }) => {
      const { service: code } = target.service
      if (isMetadataService(code) || catalogue.service(target.service) !== undefined) return
      throw new ExchangeError('service.unknown', `${providerOf(target)} has no service ${code}`)
    },
  },
  {
    name: 'service is not retired',
    needs: ['service is registered'],
    verify: ({ catalogue, target, receivedAt }) => {
      const { service } = target
      verifyNotRetired(formatId(service), catalogue.service(service), receivedAt)
    },
  },
  {
    name: 'provider has a gateway',
    needs: ['provider is registered'],
    verify: (sought) => {
      if (gatewaysFor(sought).length > 0) return
      const { securityServer } = sought.call
      const where = securityServer ? ` at ${formatId(securityServer)}` : ''
      const detail = `no gateway speaks for ${providerOf(sought.target)}${where}`
      throw new ExchangeError('provider.no-gateway', detail)
    },
  },
]

/** `X-Road-Security-Server` asks for one of them (X-Road PR-TARGETSS). */
export function gatewaysFor({ catalogue, target, call }: Sought): readonly GatewayEntry[] {
  const gateways = catalogue.gatewaysOf(providerOf(target))
  const asked = call.securityServer && formatId(call.securityServer)
  return asked === undefined ? gateways : gateways.filter((gateway) => gateway.id === asked)
}

function providerOf({ service }: Sought['target']): string {
  const { service: _code, ...subsystem } = service
  return formatId(subsystem)
}
