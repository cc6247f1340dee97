import type { Certificate } from '../pki/certificate.ts'
import { lackOf, unsuitable, type OwnKnowledge } from './own-lacks.ts'
import type { OwnAuthentication } from './ports.ts'

/** @param certificate the one that is shown to other gateways now. */
export function createOwnAuthentication(
  certificate: () => Certificate,
  known: OwnKnowledge,
): OwnAuthentication {
  return {
    verifyActive: (catalogue, at) => {
      const own = certificate()
      const isListed = catalogue.gatewayByCertificate(own.thumbprint)?.id === known.gateway
      const lack = lackOf(own, isListed, at, known)
      if (lack) throw unsuitable([lack], { owner: known.gateway, use: 'authentication' }, known)
    },
  }
}
