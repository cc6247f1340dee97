import { refusedAs } from '../../protocol/errors.ts'
import { FINDINGS_HEADER, findingsValue, withHeaders } from '../../protocol/header-block.ts'
import type { Answered, AnswerValidated } from '../exchange-state.ts'
import type { Validation } from '../ports.ts'

/**
 * Compares an answer with the description of its service, and takes out what the contract does not allow, before
 * anything is signed: the client never has it. What was found, in request and answer, is told in a header
 * (protocol/README.md §14).
 *
 * @throws ExchangeError `validation.answer-invalid`; `service.answer-invalid` when the headers are too large then.
 */
export async function validateResponse(
  answered: Answered,
  validation: Validation,
): Promise<AnswerValidated> {
  const { answer, findings } = await validation.answer(answered)
  const told = [
    ...(answered.findings === undefined ? [] : [`request: ${answered.findings}`]),
    ...(findings === undefined ? [] : [`answer: ${findings}`]),
  ]
  if (told.length === 0) return { ...answered, answer, answerValidated: true }
  const headers = refusedAs('service.answer-invalid', 'service', () =>
    withHeaders(answer.headers, [[FINDINGS_HEADER, findingsValue(told.join(', '))]]),
  )
  return { ...answered, answer: { ...answer, headers }, answerValidated: true }
}
