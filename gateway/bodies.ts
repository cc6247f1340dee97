import type { Readable } from 'node:stream'
import { ExchangeError, type ErrorCode, type Origin } from '../protocol/errors.ts'
import { SpoolError, type Spool, type SpooledBody, type SpoolFailure } from '../runtime/spool.ts'
import type { Bodies } from './ports.ts'

type Codes = Record<SpoolFailure, ErrorCode>

const REQUEST: Codes = {
  'too-large': 'request.body-too-large',
  idle: 'request.timeout',
  incomplete: 'request.body-incomplete',
  storage: 'storage.unavailable',
}
const REPLY: Codes = {
  'too-large': 'provider.answer-invalid',
  idle: 'provider.timeout',
  incomplete: 'provider.answer-incomplete',
  storage: 'storage.unavailable',
}
const SERVICE: Codes = {
  'too-large': 'service.answer-too-large',
  idle: 'service.timeout',
  incomplete: 'service.answer-incomplete',
  storage: 'storage.unavailable',
}

/** Bodies of the three kinds of message: they differ in whose fault a failure is. */
export function createBodies(
  spool: Spool,
  limits: { readonly maxBytes: number; readonly idleMs: number },
): Bodies & { ofService: Bodies['ofReply'] } {
  const receiver =
    (codes: Codes, origin?: Origin) =>
    async (stream: Readable, scope: AsyncDisposableStack): Promise<SpooledBody> => {
      try {
        return scope.use(await spool.receive(stream, limits))
      } catch (cause) {
        if (!(cause instanceof SpoolError)) throw cause
        // A full disk is ours, whoever sends.
        const whose = origin === undefined || cause.failure === 'storage' ? {} : { origin }
        throw new ExchangeError(codes[cause.failure], cause.message, { cause, ...whose })
      }
    }
  return {
    ofRequest: receiver(REQUEST),
    ofReply: receiver(REPLY),
    ofService: receiver(SERVICE, 'service'),
  }
}
