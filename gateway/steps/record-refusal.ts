import { formatId, type ClientId, type ServiceId } from '../../protocol/identifiers.ts'
import type { CallHeaders } from '../../protocol/headers.ts'
import type { RequestManifest } from '../../protocol/manifest.ts'
import { toProblem } from '../../protocol/problem.ts'
import type { Incoming } from '../exchange-state.ts'
import type { ExchangeEntry, Side } from '../../exchange-log/record.ts'
import type { ClientGateway, ProviderGateway } from '../ports.ts'

/** The members of any state that say something about a refused exchange. */
interface Known extends Partial<Omit<Incoming, 'exchangeId'>> {
  readonly exchangeId: string
  readonly claimedExchangeId?: string
  readonly client?: ClientId
  readonly call?: CallHeaders
  readonly target?: { readonly service: ServiceId }
  readonly request?: RequestManifest
  readonly messageId?: string
  readonly peer?: { readonly id: string }
  readonly position?: number
}

/** Longest part of a stranger's request line that is kept. */
const MAX_TARGET = 1024

/**
 * Records a refusal, ours or one passed on, with what was known when it happened.
 *
 * @param state what the last step returned: nothing in it is more trusted than that step made it.
 * @throws ExchangeError `log.unavailable`.
 */
export async function recordRefusal(
  state: object,
  error: unknown,
  side: Side,
  { log, clock }: Pick<ClientGateway | ProviderGateway, 'log' | 'clock'>,
): Promise<void> {
  const known = state as Known
  const origin = side === 'client' ? 'client-gateway' : 'provider-gateway'
  const problem = toProblem(error, origin, known.exchangeId)
  const client = known.client ?? known.call?.client
  // Of a stranger's refusal its own name is kept, so that it is found, but not under that name.
  const claimed = known.peer ? undefined : known.claimedExchangeId
  const messageId = known.messageId ?? known.request?.messageId ?? claimed
  const entry: ExchangeEntry = {
    exchangeId: known.exchangeId,
    side,
    kind: 'refusal',
    at: clock(),
    status: problem.status,
    code: problem.code,
    origin: problem.origin,
    detail: problem.detail ?? problem.title,
    ...(known.position === undefined ? {} : { begunAt: known.position }),
    ...(client ? { client: formatId(client) } : {}),
    ...(known.target ? { service: formatId(known.target.service) } : {}),
    ...(known.method === undefined ? {} : { method: known.method }),
    ...(known.rawTarget === undefined ? {} : { target: known.rawTarget.slice(0, MAX_TARGET) }),
    ...(messageId === undefined ? {} : { messageId }),
    ...(known.peer ? { peer: known.peer.id } : {}),
  }
  const identified = side === 'client' ? known.client !== undefined : known.peer !== undefined
  if (identified) await log.record(entry)
  else await log.recordStranger(entry)
}
