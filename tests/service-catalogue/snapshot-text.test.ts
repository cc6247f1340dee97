import fc from 'fast-check'
import { expect, it } from 'vitest'
import { canonicalJson } from '../../protocol/canonical-json.ts'
import type { Snapshot } from '../../protocol/snapshot.ts'
import type { Database } from '../../runtime/sqlite-database.ts'
import { openDatabase } from '../../service-catalogue/database.ts'
import { storeService } from '../../service-catalogue/services.ts'
import { composeSnapshot, snapshotSizeBound } from '../../service-catalogue/snapshot-text.ts'
import { temporaryFolder } from './support.ts'

const head = {
  version: 1,
  ...{ instance: 'KH-DEV', number: 7 },
  ...{ issuedAt: '2026-01-01T00:00:00.000Z', expiresAt: '2026-01-02T00:00:00.000Z' },
} as const
const text = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((t) => t.isWellFormed())
const change = fc.record({
  member: fc.integer({ min: 0, max: 2 }),
  service: fc.integer({ min: 0, max: 3 }),
  verb: fc.constantFrom('store', 'store', 'deprecate', 'draft', 'remove'),
  title: text,
})

it('the text of a snapshot is canonical, the same as without any memory, and within its bound, after any changes', () => {
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      using db = openDatabase(temporaryFolder(), 'KH-DEV')
      for (const { member, service, verb, title } of changes) {
        const [owner, subsystem] = [`KH-DEV/GOV/M${member}`, `KH-DEV/GOV/M${member}/S`]
        const id = `${subsystem}/s${service}`
        db.run(
          'INSERT INTO member VALUES (?, ?) ON CONFLICT DO UPDATE SET name = ?',
          owner,
          '',
          title,
        )
        db.run("INSERT OR IGNORE INTO subsystem VALUES (?, ?, 'S', ?)", subsystem, owner, title)
        if (verb === 'store') {
          const more = { classification: null, validation: null }
          storeService(db, { id, subsystem, code: `s${service}`, title, ...more }, undefined)
        } else if (verb === 'remove') db.run('DELETE FROM service WHERE id = ?', id)
        else {
          const state = verb === 'draft' ? 'draft' : 'deprecated'
          const when = '2027-01-01T00:00:00Z'
          db.run('UPDATE service SET state = ?, sunset = ? WHERE id = ?', state, when, id)
        }
        const composed = composeSnapshot(db, head)
        // Another handle on the same database has no memory of services.
        const unknowing: Database = { ...db, [Symbol.dispose]: () => undefined }
        expect(composeSnapshot(unknowing, head)).toBe(composed)
        expect(canonicalJson(JSON.parse(composed) as Snapshot)).toBe(composed)
        expect(Buffer.byteLength(composed)).toBeLessThanOrEqual(snapshotSizeBound(db))
      }
    }),
    { numRuns: 30 },
  )
})
