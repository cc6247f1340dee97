import type { Clock } from '../../runtime/clock.ts'
import { createCrl } from '../crl.ts'
import type { Issuer } from '../issue.ts'
import type { CertificateStore } from './certificate-store.ts'
import type { Database } from '../../runtime/sqlite-database.ts'
import type { IssuerName } from './issuers.ts'
import type { Journal } from './journal.ts'

export interface PublishedCrl {
  readonly issuer: IssuerName
  readonly number: number
  readonly thisUpdate: Date
  readonly nextUpdate: Date
  readonly der: Buffer
}

export interface CrlPublisher {
  /** The newest list of an authority, whether or not it is due. */
  readonly newest: (issuer: IssuerName) => PublishedCrl | undefined
  /** Issues a list: complete, and with a number that no list of this authority had (RFC 5280 §5.2.3). */
  readonly publish: (issuer: IssuerName, signer: Issuer, lifeMs: number) => Promise<PublishedCrl>
}

interface Row {
  readonly issuer: IssuerName
  readonly number: number
  readonly thisUpdate: string
  readonly nextUpdate: string
  readonly der: Uint8Array
}

export function createCrlPublisher(deps: {
  readonly db: Database
  readonly store: CertificateStore
  readonly journal: Journal
  readonly clock: Clock
}): CrlPublisher {
  const { db, store, journal, clock } = deps
  const newest = (issuer: IssuerName): PublishedCrl | undefined => {
    const row = db.get<Row>('SELECT * FROM crl WHERE issuer = ?', issuer)
    return row && fromRow(row)
  }
  /** One at a time for each authority: two lists of one number would be two truths. */
  const inWork = new Map<IssuerName, Promise<PublishedCrl>>()

  const publish = async (
    issuer: IssuerName,
    signer: Issuer,
    lifeMs: number,
  ): Promise<PublishedCrl> => {
    const last = newest(issuer)
    const number = (last?.number ?? 0) + 1
    const thisUpdate = new Date(Math.floor(clock().getTime() / 1000) * 1000)
    const nextUpdate = new Date(thisUpdate.getTime() + lifeMs)
    const entries = store
      .revoked(issuer)
      .filter(({ certificate, revocation }) => {
        // RFC 5280 §3.3: an entry stays until it stood in one list issued after the certificate's end. When the
        // clock was set back, the list before may be of a time that has not come: it says nothing about ends.
        const seenFrom = Math.max(certificate.notAfter.getTime(), revocation.revokedAt.getTime())
        const seenUntil = Math.min(last?.thisUpdate.getTime() ?? -Infinity, thisUpdate.getTime())
        return seenUntil <= seenFrom
      })
      .map(({ certificate: { serial }, revocation }) => ({ serial, ...revocation }))
    const der = await createCrl({ issuer: signer, entries, number, thisUpdate, nextUpdate })
    const isFirst = db.transaction(() => {
      const stored = db.run(
        `INSERT INTO crl (issuer, number, thisUpdate, nextUpdate, der) VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (issuer) DO UPDATE SET number = excluded.number, der = excluded.der,
           thisUpdate = excluded.thisUpdate, nextUpdate = excluded.nextUpdate
         WHERE crl.number < excluded.number`,
        issuer,
        number,
        thisUpdate.toISOString(),
        nextUpdate.toISOString(),
        der,
      )
      if (stored === 0) return false
      const detail = `number ${number}, ${entries.length} revoked, until ${nextUpdate.toISOString()}`
      journal.append({ action: 'crl-issued', subject: issuer, detail })
      return true
    })
    // Another process with these records was first: the list of the same number is shown to nobody.
    if (!isFirst) return await publish(issuer, signer, lifeMs)
    return { issuer, number, thisUpdate, nextUpdate, der }
  }

  return {
    newest,
    publish: async (issuer, signer, lifeMs) => {
      const before = inWork.get(issuer)
      const running = (before ?? Promise.resolve()).then(
        () => publish(issuer, signer, lifeMs),
        () => publish(issuer, signer, lifeMs),
      )
      inWork.set(issuer, running)
      return await running
    },
  }
}

function fromRow({ issuer, number, thisUpdate, nextUpdate, der }: Row): PublishedCrl {
  return {
    issuer,
    number,
    thisUpdate: new Date(thisUpdate),
    nextUpdate: new Date(nextUpdate),
    der: Buffer.from(der),
  }
}
