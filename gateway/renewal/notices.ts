import type { Logger } from '../../runtime/logger.ts'
import type { Credential, CredentialSlot } from '../credentials/credential.ts'
import type { CredentialStore } from '../credentials/store.ts'
import { noticeDays } from './schedule.ts'

export interface Notice extends CredentialSlot {
  readonly thumbprint: string
  /** The threshold that was passed: 30, 14, 7 or 1. */
  readonly days: number
  readonly notAfter: Date
}

/** Tells of certificates that come to their end: a month, two weeks, a week and a day before. */
export interface Notices {
  /** Those that hold now; each is logged when it is new, once in the life of this process. */
  look(at: Date): Notice[]
}

export function createNotices(deps: {
  readonly slots: readonly CredentialSlot[]
  readonly store: Pick<CredentialStore, 'of'>
  /** Whether there is an authority to renew from. */
  readonly renewsItself: boolean
  readonly logger: Logger
}): Notices {
  const { slots, store, renewsItself, logger } = deps
  let told = new Set<string>()
  const noticesOf = ({ kind, owner, certificate }: Credential, at: Date): Notice[] => {
    const { thumbprint, notAfter } = certificate
    const days = noticeDays(certificate, at, renewsItself)
    return days === undefined ? [] : [{ kind, owner, thumbprint, days, notAfter }]
  }
  return {
    look: (at) => {
      const notices = slots.flatMap((slot) => {
        const [newest] = store.of(slot)
        return newest ? noticesOf(newest, at) : []
      })
      const before = told
      // Of a certificate only the last threshold is kept: it comes to the next one, and never back.
      told = new Set(notices.map(keyOf))
      for (const notice of notices) {
        if (before.has(keyOf(notice))) continue
        const why = renewsItself ? 'although it is renewed by itself' : 'and nothing renews it'
        logger.warn(notice, `a certificate ends within ${notice.days} days, ${why}`)
      }
      return notices
    },
  }
}

const keyOf = ({ thumbprint, days }: Notice): string => `${thumbprint} ${days}`
