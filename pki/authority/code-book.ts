import { createHash, randomBytes } from 'node:crypto'
import { ExchangeError } from '../../protocol/errors.ts'
import type { Clock } from '../../runtime/clock.ts'
import {
  formatIdentity,
  isSameIdentity,
  type CertificateIdentity,
  type CertificateKind,
} from '../identity.ts'
import type { Database } from '../../runtime/sqlite-database.ts'
import { verifyEntitlement, type Entitlement } from './issue-request.ts'
import { issuerOf } from './issuers.ts'
import type { Journal } from './journal.ts'

/** One certificate that the holder of a code may ask for. */
export interface CodeOrder extends Entitlement {
  readonly id: number
  /** SHA-256 of the request that has taken this order. */
  readonly csrDigest?: string
  /** What was issued for it. */
  readonly serial?: string
}

/** A one-time code: the operator's word that its holder may have these certificates, each once. */
export interface Code {
  /** Names it without giving it away; also the enrolment of what is issued for it. */
  readonly id: string
  readonly note: string
  readonly madeAt: Date
  readonly expiresAt: Date
  readonly orders: readonly CodeOrder[]
}

export interface CodeBook {
  /**
   * Makes a code for these orders. The code itself is returned this once and kept nowhere.
   *
   * @throws ExchangeError `admin.invalid`
   */
  readonly make: (wanted: {
    readonly orders: readonly Entitlement[]
    readonly expiresAt: Date
    readonly note?: string
  }) => { readonly id: string; readonly code: string }
  /** Newest last. */
  readonly list: () => Code[]
  /** Takes a code back; what was issued for it stays. @throws ExchangeError `admin.not-found` */
  readonly remove: (id: string) => void
  readonly find: (code: string) => Code | undefined
  /** Takes an order for one request. @returns false when another request has it. */
  readonly take: (order: number, csrDigest: string) => boolean
  /** Gives an order back for which nothing was issued. */
  readonly release: (order: number, csrDigest: string) => void
  /** To be called within the transaction that records the certificate. @throws ExchangeError `enrolment.code-used` */
  readonly complete: (order: number, csrDigest: string, serial: string) => void
}

interface CodeRow {
  readonly id: string
  readonly note: string
  readonly madeAt: string
  readonly expiresAt: string
}
interface OrderRow {
  readonly id: number
  readonly kind: CertificateKind
  readonly identity: string
  readonly subjectAltNames: string
  readonly csrDigest: string | null
  readonly serial: string | null
}

/** Digits and letters that nobody mistakes for each other (Crockford's base 32): codes are read out too. */
const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
/** Of five bits each: a hundred bits cannot be guessed, so a plain hash of them will do. */
const CODE_LENGTH = 20

export function createCodeBook(deps: {
  readonly db: Database
  readonly journal: Journal
  readonly clock: Clock
  readonly instance: string
}): CodeBook {
  const { db, journal, clock, instance } = deps
  const withOrders = (row: CodeRow): Code => ({
    id: row.id,
    note: row.note,
    madeAt: new Date(row.madeAt),
    expiresAt: new Date(row.expiresAt),
    orders: db
      .all<OrderRow>('SELECT * FROM code_order WHERE code = ? ORDER BY id', row.id)
      .map(toOrder),
  })
  return {
    make: ({ orders, expiresAt, note = '' }) => {
      if (orders.length === 0) throw new ExchangeError('admin.invalid', 'orders: none is given')
      if (!(expiresAt > clock())) throw new ExchangeError('admin.invalid', 'expiresAt: is over')
      for (const order of orders) verifyEntitlement(instance, order)
      refuseAlike(orders)
      const code = randomCode()
      const id = randomBytes(5).toString('hex')
      db.transaction(() => {
        db.run(
          'INSERT INTO code (id, hash, note, madeAt, expiresAt) VALUES (?, ?, ?, ?, ?)',
          id,
          hashOf(code),
          note,
          clock().toISOString(),
          expiresAt.toISOString(),
        )
        for (const { kind, identity, subjectAltNames } of orders) {
          db.run(
            'INSERT INTO code_order (code, kind, identity, subjectAltNames) VALUES (?, ?, ?, ?)',
            id,
            kind,
            JSON.stringify(identity),
            JSON.stringify(subjectAltNames),
          )
        }
        journal.append({ action: 'code-made', subject: id, detail: note })
      })
      return { id, code }
    },
    list: () => db.all<CodeRow>('SELECT * FROM code ORDER BY madeAt, id').map(withOrders),
    remove: (id) => {
      if (db.run('DELETE FROM code WHERE id = ?', id) === 0) {
        throw new ExchangeError('admin.not-found', `there is no code ${id}`)
      }
      journal.append({ action: 'code-removed', subject: id })
    },
    find: (code) => {
      // Looked up by hash: how long it takes says nothing about a code that is there.
      const row = db.get<CodeRow>('SELECT * FROM code WHERE hash = ?', hashOf(code))
      return row && withOrders(row)
    },
    take: (order, csrDigest) =>
      db.run(
        'UPDATE code_order SET csrDigest = ? WHERE id = ? AND (csrDigest IS NULL OR csrDigest = ?)',
        csrDigest,
        order,
        csrDigest,
      ) === 1,
    release: (order, csrDigest) =>
      void db.run(
        'UPDATE code_order SET csrDigest = NULL WHERE id = ? AND csrDigest = ? AND serial IS NULL',
        order,
        csrDigest,
      ),
    complete: (order, csrDigest, serial) => {
      const changed = db.run(
        'UPDATE code_order SET serial = ? WHERE id = ? AND csrDigest = ? AND serial IS NULL',
        serial,
        order,
        csrDigest,
      )
      if (changed === 0) throw new ExchangeError('enrolment.code-used', 'the order was taken')
    },
  }
}

/** The path of a request tells which authority is to issue, and nothing tells kinds of one authority apart. */
function refuseAlike(orders: readonly Entitlement[]): void {
  for (const [i, { kind, identity }] of orders.entries()) {
    const alike = orders
      .slice(i + 1)
      .find(
        (other) =>
          other.kind !== kind &&
          issuerOf(other.kind) === issuerOf(kind) &&
          isSameIdentity(other.identity, identity),
      )
    if (alike === undefined) continue
    throw new ExchangeError(
      'admin.invalid',
      `orders: ${kind} and ${alike.kind} of ${formatIdentity(identity)} are asked for in the same way: make a code for each`,
    )
  }
}

function toOrder(row: OrderRow): CodeOrder {
  return {
    id: row.id,
    kind: row.kind,
    identity: JSON.parse(row.identity) as CertificateIdentity,
    subjectAltNames: JSON.parse(row.subjectAltNames) as string[],
    ...(row.csrDigest === null ? {} : { csrDigest: row.csrDigest }),
    ...(row.serial === null ? {} : { serial: row.serial }),
  }
}

function randomCode(): string {
  const letters = Array.from(randomBytes(CODE_LENGTH), (octet) => ALPHABET[octet % 32]).join('')
  return letters.replace(/.{5}(?=.)/g, '$&-')
}

/** Of a code as a person may have typed it. */
function hashOf(code: string): Buffer {
  const letters = code.toUpperCase().replace(/[\s-]/g, '').replace(/O/g, '0').replace(/[IL]/g, '1')
  return createHash('sha256').update(letters).digest()
}
