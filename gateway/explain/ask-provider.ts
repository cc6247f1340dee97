import { ExchangeError, type ErrorCode } from '../../protocol/errors.ts'
import {
  EXPLAIN_PATH,
  parseProviderAnswer,
  refusedCheck,
  type ExplainedCheck,
  type ProviderAnswer,
  type SupposedCall,
  type Withheld,
} from '../../protocol/explanation.ts'
import { LIMITS } from '../../protocol/limits.ts'
import type { GatewayEntry } from '../catalogue-view.ts'
import { firstTaker } from '../checks/first-taker.ts'
import type { PeerQuestions } from '../peers/peers.ts'
import type { Findings } from './findings.ts'

/** What the provider's gateway says; undefined when it was not heard, and the findings say why. */
export interface Heard {
  readonly gateway: string
  readonly snapshot?: number
  readonly checks: readonly ExplainedCheck[]
}

const STEP = 'send-to-provider'
const REACHED = 'gateway of the provider can be reached'
const OTHERS = "checks of the provider's gateway"
const WHY: Record<Withheld, string> = {
  off: 'it explains nothing: its operator chose so',
  'too-often': 'it was asked too often; ask again in a minute',
}
/** What says nothing of a call: the question alone was not heard, or not known. */
const ABOUT_THE_QUESTION =
  /^(request\.|manifest\.|provider\.(timeout|answer-invalid|answer-incomplete)$|internal$)/

/** Asks the gateways of the provider in turn, as a call would be sent to them (protocol/README.md §15). */
export async function askProvider(
  gateways: readonly GatewayEntry[],
  said: SupposedCall,
  peers: PeerQuestions,
  findings: Findings,
): Promise<Heard | undefined> {
  if (gateways.length === 0) {
    findings.skip(STEP, REACHED, 'there is none')
    return undefined
  }
  const question = {
    path: EXPLAIN_PATH,
    json: JSON.stringify(said),
    maxAnswerBytes: LIMITS.explainBytes,
  }
  let asked = ''
  try {
    const { peer, reply } = await firstTaker(gateways, async (gateway) => {
      asked = gateway.id
      return parseProviderAnswer(await peers.ask(gateway, question))
    })
    await findings.judge(
      STEP,
      REACHED,
      () => undefined,
      () => ({ detail: peer.id }),
    )
    return heardFrom(peer.id, reply, findings)
  } catch (error) {
    if (!(error instanceof ExchangeError)) throw error
    return notHeard(error, asked, findings)
  }
}

function heardFrom(gateway: string, answer: ProviderAnswer, findings: Findings): Heard | undefined {
  if (!('withheld' in answer)) return { gateway, ...answer }
  findings.skip(STEP, OTHERS, `${gateway}: ${WHY[answer.withheld]}`)
  return undefined
}

async function notHeard(
  error: ExchangeError,
  gateway: string,
  findings: Findings,
): Promise<Heard | undefined> {
  const { code, message, origin } = error
  if (ABOUT_THE_QUESTION.test(code)) {
    const what = unknown(code, origin) ? 'it does not explain calls' : message
    findings.skip(STEP, OTHERS, `not heard (${code}): ${what}`)
    return undefined
  }
  if (origin === undefined) {
    await findings.judge(STEP, REACHED, () => Promise.reject(error))
    findings.skip(STEP, OTHERS, 'it was not reached')
    return undefined
  }
  // It refuses the gateway that asks, as it would refuse its call.
  const step = error.step ?? 'authenticate-peer'
  const where = { side: 'provider', step, check: 'gateway of the client is accepted' } as const
  return { gateway, checks: [refusedCheck(where, error)] }
}

const unknown = (code: ErrorCode, origin: unknown): boolean =>
  origin !== undefined && code.startsWith('manifest.')
