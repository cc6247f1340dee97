import type { IncomingMessage, ServerResponse } from 'node:http'
import { CertificateError, parseCertificate, type Certificate } from '../../pki/certificate.ts'
import {
  CERTIFICATE_STATES_PATH,
  formatCertificateStates,
  parseCertificateStates,
} from '../../protocol/certificate-states.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { LIMITS } from '../../protocol/limits.ts'
import { toProblem, type Problem } from '../../protocol/problem.ts'
import { newExchangeId } from '../../runtime/exchange-id.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { CatalogueView, GatewayEntry } from '../catalogue-view.ts'
import type { ProviderGateway } from '../ports.ts'
import type { CertificateStates } from '../trust/certificate-states.ts'
import { shownCertificate } from './exchange-server.ts'
import { sendRefusal, type Refusal } from './reply.ts'
import { receiveSmall } from './small-body.ts'

interface Options {
  readonly gw: Pick<ProviderGateway, 'clock' | 'clockCheck' | 'catalogue' | 'trust'>
  readonly states: CertificateStates
  readonly refusal: (problem: Problem) => Refusal
  readonly logger: Logger
}

/**
 * `POST /spean/v1/certificate-states` (protocol/README.md §6.5): takes what another gateway knows of its own
 * certificates, and tells what is known of ours. No exchange: not recorded.
 *
 * @returns false for every other request.
 */
export function answerCertificateStates(
  request: IncomingMessage,
  response: ServerResponse,
  options: Options,
): boolean {
  if (request.url !== CERTIFICATE_STATES_PATH) return false
  exchangeStates(request, options)
    .then((body) => {
      const length = Buffer.byteLength(body)
      const headers = { 'content-type': 'application/json', 'content-length': length }
      response.writeHead(200, headers).end(body)
    })
    .catch((error: unknown) => refuse(error, request, response, options))
    .catch(() => response.destroy())
  return true
}

async function refuse(
  error: unknown,
  request: IncomingMessage,
  response: ServerResponse,
  { gw, refusal, logger }: Options,
): Promise<void> {
  const problem = toProblem(error, 'provider-gateway', newExchangeId(gw.clock()))
  const { code, detail, exchangeId: id } = problem
  const line = { id, code, detail }
  if (error instanceof ExchangeError) logger.info(line, 'certificate states refused')
  else logger.error({ ...line, err: error }, 'certificate states failed')
  await sendRefusal(request, response, refusal(problem))
}

async function exchangeStates(request: IncomingMessage, { gw, states }: Options): Promise<string> {
  if (request.method !== 'POST') {
    throw new ExchangeError('request.method-unsupported', `${request.method} is not supported here`)
  }
  gw.clockCheck.verify()
  const at = gw.clock()
  const catalogue = await gw.catalogue.atLeast(0, at)
  const certificate = certificateOf(request)
  const peer = await listedGateway(certificate, catalogue, at, gw)
  const body = await receiveSmall(request, LIMITS.certificateStatesBytes, 'certificate states')
  await states.take(parseCertificateStates(body), peer, catalogue)
  // By what was just handed over: nobody asks the responder about the one who hands it over.
  await gw.trust.verify(certificate, 'authentication', at)
  return formatCertificateStates(states.own())
}

function certificateOf({ socket }: IncomingMessage): Certificate {
  const der = shownCertificate(socket)
  if (!der) throw new ExchangeError('peer.certificate-missing', 'no certificate was shown')
  try {
    return parseCertificate(der)
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error
    throw new ExchangeError('certificate.untrusted', 'the certificate shown cannot be read')
  }
}

async function listedGateway(
  certificate: Certificate,
  catalogue: CatalogueView,
  at: Date,
  { trust }: Options['gw'],
): Promise<GatewayEntry> {
  const peer = catalogue.gatewayByCertificate(certificate.thumbprint)
  if (peer) return peer
  await trust.verify(certificate, 'authentication', at) // tells a bad one by that name
  throw new ExchangeError(
    'peer.certificate-unregistered',
    `snapshot ${catalogue.number} has no gateway with the certificate ${certificate.subject}`,
  )
}
