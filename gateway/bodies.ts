import type { Readable } from 'node:stream'
import { ExchangeError, type ErrorCode, type Origin } from '../protocol/errors.ts'
import {
  SpoolError,
  verifyWithin,
  type Spool,
  type SpooledBody,
  type SpoolFailure,
  type SpoolLimits,
} from '../runtime/spool.ts'
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

/** Beside the bodies of exchanges, those of the services behind this gateway. */
export interface AllBodies extends Bodies {
  /** @throws ExchangeError `request.body-too-large` as for a request whose body has this size. */
  verifySize(bytes: number): void
  ofService(stream: Readable, scope: AsyncDisposableStack): Promise<SpooledBody>
}

/** Bodies of the three kinds of message: they differ in whose fault a failure is. */
export function createBodies(spool: Spool, limits: SpoolLimits): AllBodies {
  const receiver =
    (codes: Codes, origin?: Origin): Bodies['ofReply'] =>
    async (stream, scope, signedSize) => {
      // Nobody stores more than was signed for.
      const signed = signedSize !== undefined && signedSize <= limits.maxBytes
      const maxBytes = signed ? signedSize : limits.maxBytes
      try {
        return scope.use(await spool.receive(stream, { ...limits, maxBytes }))
      } catch (cause) {
        if (!(cause instanceof SpoolError)) throw cause
        const longer = signed && cause.failure === 'too-large'
        const code = longer ? 'manifest.body-altered' : codes[cause.failure]
        // A full disk is ours, whoever sends.
        const whose = origin === undefined || cause.failure === 'storage' ? {} : { origin }
        throw new ExchangeError(code, cause.message, { cause, ...whose })
      }
    }
  return {
    verifySize: (bytes) => {
      try {
        verifyWithin(bytes, limits.maxBytes)
      } catch (cause) {
        if (!(cause instanceof SpoolError)) throw cause
        throw new ExchangeError(REQUEST[cause.failure], cause.message, { cause })
      }
    },
    ofRequest: receiver(REQUEST),
    ofReply: receiver(REPLY),
    ofService: receiver(SERVICE, 'service'),
  }
}
