/** How long a search among 10,000 services takes, in each language: npm run bench:search */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '../service-catalogue/database.ts'
import { searchServices } from '../service-catalogue/service-search.ts'
import { storeEntry } from '../service-catalogue/service-index.ts'
import { storeService } from '../service-catalogue/services.ts'

const SERVICES = 10_000
const WORDS = {
  en: ['register', 'licence', 'birth', 'company', 'vehicle', 'land', 'tax', 'school', 'customs'],
  km: ['បញ្ជី', 'ប្រជាជន', 'អាជីវកម្ម', 'យានយន្ត', 'ដីធ្លី', 'សាលារៀន', 'គយ', 'ចុះឈ្មោះ', 'ពន្ធ'],
  lo: ['ທະບຽນ', 'ພົນລະເມືອງ', 'ທຸລະກິດ', 'ຍານພາຫະນະ', 'ທີ່ດິນ', 'ໂຮງຮຽນ', 'ພາສີ', 'ເກີດ', 'ໃບອະນຸຍາດ'],
}

const folder = mkdtempSync(join(tmpdir(), 'spean-search-'))
try {
  using db = openDatabase(folder, 'KH-DEV')
  db.transaction(() => {
    db.run(`INSERT INTO member VALUES ('KH-DEV/GOV/M', 'M')`)
    db.run(`INSERT INTO subsystem VALUES ('KH-DEV/GOV/M/S', 'KH-DEV/GOV/M', 'S', 'S')`)
    for (let i = 0; i < SERVICES; i++) {
      const [a, b, c] = [i % 9, Math.floor(i / 9) % 9, Math.floor(i / 81) % 9]
      const text = (words: string[], gap: string): string =>
        [words[a], words[b], words[c], String(i)].join(gap)
      const titles = { en: text(WORDS.en, ' '), km: text(WORDS.km, ''), lo: text(WORDS.lo, '') }
      const service = { id: `KH-DEV/GOV/M/S/s${i}`, subsystem: 'KH-DEV/GOV/M/S', code: `s${i}` }
      const classes = { classification: 'internal', validation: null }
      storeService(db, { ...service, title: titles.en, ...classes }, undefined)
      storeEntry(db, service.id, { titles, descriptions: titles, purposes: [`p${i % 100}`] })
    }
  })
  const queries = [
    { q: 'register birth' },
    { q: WORDS.km[1]! + WORDS.km[2]!, language: 'km' },
    { q: WORDS.lo[3]!, language: 'lo' },
    { q: '77' },
    { q: 'tax', purpose: 'p7', member: 'KH-DEV/GOV/M' },
  ] as const
  for (const query of queries) {
    let found = 0
    const times = Array.from({ length: 9 }, () => {
      const begun = performance.now()
      found = searchServices(db, { ...query, limit: 20, offset: 0 }).length
      return performance.now() - begun
    }).toSorted((x, y) => x - y)
    console.log(
      `${JSON.stringify(query)}: ${found} on the first page, ${times[4]!.toFixed(1)} ms at the median`,
    )
  }
} finally {
  rmSync(folder, { recursive: true })
}
