/**
 * The path of one exchange, top to bottom: information system → `requestExchange` → mTLS →
 * `serveExchange` → service, and back. Each line is a step of protocol/README.md §6, under the same
 * name in logs and metrics; the type a step takes is the proof that the steps before it ran.
 */
import { ExchangeError } from '../protocol/errors.ts'
import type { Asked, Received, ResponseRecorded } from './exchange-state.ts'
import type { ClientGateway, ProviderGateway, StepRunner } from './ports.ts'
import { authenticatePeer } from './steps/authenticate-peer.ts'
import { authorise } from './steps/authorise.ts'
import { callService } from './steps/call-service.ts'
import { identifyClient } from './steps/identify-client.ts'
import { readRequest } from './steps/read-request.ts'
import { receiveBody } from './steps/receive-body.ts'
import { recordRefusal } from './steps/record-refusal.ts'
import { recordRequest } from './steps/record-request.ts'
import { recordResponse } from './steps/record-response.ts'
import { rejectReplay } from './steps/reject-replay.ts'
import { resolveService } from './steps/resolve-service.ts'
import { sendToProvider } from './steps/send-to-provider.ts'
import { signRequest } from './steps/sign-request.ts'
import { signResponse } from './steps/sign-response.ts'
import { validateRequest } from './steps/validate-request.ts'
import { validateResponse } from './steps/validate-response.ts'
import { verifyBody } from './steps/verify-body.ts'
import { verifyResponse } from './steps/verify-response.ts'
import { verifySignature } from './steps/verify-signature.ts'

/** Client gateway: our own information system asks, another member answers. */
export async function requestExchange(asked: Asked, gw: ClientGateway): Promise<ResponseRecorded> {
  const step = gw.begin(asked)
  try {
    const read = await step('read-request', () => readRequest(asked))
    const identified = await step('identify-client', () => identifyClient(read, gw))
    const resolved = await step('resolve-service', () => resolveService(identified))
    const complete = await step('receive-body', () => receiveBody(resolved, gw.bodies))
    const signed = await step('sign-request', () => signRequest(complete, gw))
    const recorded = await step('record-request', () => recordRequest(signed, 'client', gw))
    const replied = await step('send-to-provider', () => sendToProvider(recorded, gw.peers))
    const verified = await step('verify-response', () => verifyResponse(replied, gw))
    return await step('record-response', () => recordResponse(verified, 'client', gw))
  } catch (error) {
    throw await refuse(step, error, 'client', gw)
  }
}

/** Provider gateway: another member asks, a service of ours answers. */
export async function serveExchange(
  received: Received,
  gw: ProviderGateway,
): Promise<ResponseRecorded> {
  const step = gw.begin(received)
  try {
    const peer = await step('authenticate-peer', () => authenticatePeer(received, gw))
    const verified = await step('verify-signature', () => verifySignature(peer, gw))
    const fresh = await step('reject-replay', () => rejectReplay(verified, gw.replayGuard))
    const permitted = await step('authorise', () => authorise(fresh, gw))
    const served = await step('verify-body', () => verifyBody(permitted, gw.bodies))
    const valid = await step('validate-request', () => validateRequest(served, gw.validation))
    const recorded = await step('record-request', () => recordRequest(valid, 'provider', gw))
    const answered = await step('call-service', () => callService(recorded, gw.services))
    const allowed = await step('validate-response', () => validateResponse(answered, gw.validation))
    const signed = await step('sign-response', () => signResponse(allowed, gw))
    return await step('record-response', () => recordResponse(signed, 'provider', gw))
  } catch (error) {
    throw await refuse(step, error, 'provider', gw)
  }
}

/** A refusal is evidence too: it is recorded before the caller hears of it. */
async function refuse(
  step: StepRunner,
  error: unknown,
  side: 'client' | 'provider',
  gw: ClientGateway | ProviderGateway,
): Promise<unknown> {
  const { exchangeId } = step.known as { exchangeId: string }
  if (error instanceof ExchangeError) error.exchangeId = exchangeId
  try {
    await step('record-refusal', () => recordRefusal(step.known, error, side, gw))
    return error
  } catch (cause) {
    // What is not recorded to its end says so; and, once a request is recorded, that it may have left.
    const isBegun = 'position' in step.known
    const code = isBegun ? 'log.unavailable-after-call' : 'log.unavailable'
    const told =
      !isBegun && isBehindWitnesses(cause)
        ? cause
        : new ExchangeError(code, 'the exchange log takes no entries', { cause })
    return Object.assign(told, { step: 'record-refusal', exchangeId })
  }
}

const isBehindWitnesses = (error: unknown): error is ExchangeError =>
  error instanceof ExchangeError && error.code === 'log.behind-witnesses'

/** Records the refusal of what was no HTTP request, so that no step could read it. */
export function refuseUnread(
  exchangeId: string,
  error: ExchangeError,
  side: 'client' | 'provider',
  gw: ClientGateway | ProviderGateway,
): Promise<void> {
  return recordRefusal({ exchangeId }, error, side, gw)
}
