import { ExchangeError } from '../../protocol/errors.ts'

/** Bounds how often one address may guess. */
export interface WrongCodes {
  /** @throws ExchangeError `enrolment.code-invalid` for an address with too many wrong codes behind it. */
  readonly verifyMayTry: (address: string, at: Date) => void
  readonly note: (address: string, at: Date) => void
}

const WINDOW_MS = 60_000
const ALLOWED = 10
const MAX_ADDRESSES = 10_000

/** Ten wrong codes in a minute, then none is looked at until the minute is over. */
export function createWrongCodes(): WrongCodes {
  const tries = new Map<string, { readonly since: number; count: number }>()
  const current = (address: string, at: Date): { count: number } | undefined => {
    const known = tries.get(address)
    if (known !== undefined && Math.abs(at.getTime() - known.since) < WINDOW_MS) return known
    tries.delete(address)
    return undefined
  }
  return {
    verifyMayTry: (address, at) => {
      if ((current(address, at)?.count ?? 0) < ALLOWED) return
      throw new ExchangeError(
        'enrolment.code-invalid',
        `${ALLOWED} wrong codes came from this address: it is heard again in a minute`,
      )
    },
    note: (address, at) => {
      const known = current(address, at) ?? { since: at.getTime(), count: 0 }
      known.count += 1
      if (tries.size >= MAX_ADDRESSES) tries.delete(tries.keys().next().value!)
      tries.set(address, known as { since: number; count: number })
    },
  }
}
