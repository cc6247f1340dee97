import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { writePeopleCsv } from '../../../examples/sandbox/people.ts'
import { serveFile } from './support.ts'

const COUNT = 200_000

it('serves 200,000 rows: by key, by value, by prefix, and page by page', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'csv-adapter-'))
  const file = join(folder, 'people.csv')
  writePeopleCsv(file, { seed: 7, count: COUNT })
  await using served = await serveFile(file, { key: 'person_id' })
  rmSync(folder, { recursive: true })

  const ids = new Set<string>()
  let sexes = 0
  let cursor = ''
  do {
    const { json } = await served.get(`?limit=1000${cursor}`)
    expect(json.total).toBe(COUNT)
    const items = json.items as Record<string, string>[]
    for (const { person_id, sex } of items) {
      ids.add(person_id!)
      sexes += sex === 'F' ? 1 : 0
    }
    cursor = json.next === undefined ? '' : `&cursor=${json.next as string}`
  } while (cursor !== '')
  expect(ids.size).toBe(COUNT)

  const [first] = ids
  expect((await served.get(`/${first}`)).json.person_id).toBe(first)
  expect((await served.get('?sex=F&limit=1')).json.total).toBe(sexes)
  const prefixed = [...ids].filter((id) => id.startsWith('123')).length
  expect((await served.get('?person_id=123*')).json.total).toBe(prefixed)
}, 60_000)
