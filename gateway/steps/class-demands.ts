import { ExchangeError } from '../../protocol/errors.ts'
import type { RequestManifest } from '../../protocol/manifest.ts'

/**
 * Checks that a call carries what the class of its service asks for (protocol/README.md §13.5):
 * `personal` a purpose and a user, `sensitive` a case as well.
 *
 * @throws ExchangeError `access.purpose-missing`, `access.user-missing`, `access.case-missing`.
 */
export function verifyClassDemands(
  service: string,
  classification: string | undefined,
  { purpose, userId, issue }: Pick<RequestManifest, 'purpose' | 'userId' | 'issue'>,
): void {
  if (classification !== 'personal' && classification !== 'sensitive') return
  const why = `${service} is classified as ${classification}`
  if (purpose === undefined) {
    throw new ExchangeError('access.purpose-missing', `${why}, and the call names no purpose`)
  }
  if (userId === undefined) {
    throw new ExchangeError('access.user-missing', `${why}, and the call names no user`)
  }
  if (classification === 'sensitive' && issue === undefined) {
    throw new ExchangeError('access.case-missing', `${why}, and the call names no case`)
  }
}
