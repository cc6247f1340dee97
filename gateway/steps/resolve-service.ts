import { ExchangeError } from '../../protocol/errors.ts'
import { formatId } from '../../protocol/identifiers.ts'
import { isMetadataService } from '../../protocol/methods.ts'
import { verifyNotRetired } from '../../protocol/service-life.ts'
import type { Identified, Resolved } from '../exchange-state.ts'
import { verifyNotStopped, type GatewayEntry } from '../catalogue-view.ts'

/**
 * Finds the service and the gateways that offer it in the snapshot (protocol/README.md §6.1).
 *
 * @throws ExchangeError `access.stopped`, `provider.unknown`, `service.unknown`, `service.retired`, `provider.no-gateway`.
 */
export function resolveService(identified: Identified): Resolved {
  const { catalogue, call } = identified
  verifyNotStopped(catalogue, identified.client, identified.target.service)
  const { service: code, ...subsystem } = identified.target.service
  const provider = formatId(subsystem)
  if (catalogue.servicesOf(provider) === undefined) {
    throw new ExchangeError('provider.unknown', `${provider} is not registered`)
  }
  const service = catalogue.service(identified.target.service)
  if (!isMetadataService(code) && service === undefined) {
    throw new ExchangeError('service.unknown', `${provider} has no service ${code}`)
  }
  verifyNotRetired(formatId(identified.target.service), service, identified.receivedAt)
  const gateways = wanted(
    catalogue.gatewaysOf(provider),
    call.securityServer && formatId(call.securityServer),
  )
  if (gateways.length === 0) {
    const where = call.securityServer ? ` at ${formatId(call.securityServer)}` : ''
    throw new ExchangeError('provider.no-gateway', `no gateway speaks for ${provider}${where}`)
  }
  return { ...identified, gateways }
}

/** `X-Road-Security-Server` asks for one of them (X-Road PR-TARGETSS). */
function wanted(
  gateways: readonly GatewayEntry[],
  asked: string | undefined,
): readonly GatewayEntry[] {
  return asked === undefined ? gateways : gateways.filter((gateway) => gateway.id === asked)
}
