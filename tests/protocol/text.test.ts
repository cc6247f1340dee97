import { existsSync, globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { LIMITS } from '../../protocol/limits.ts'
import { protocolText } from './support.ts'

const text = protocolText()
const headings = [...text.matchAll(/^#{2,4} (.+)$/gm)].map(([, title]) => title!)

it('names every step of an exchange in a heading, and no other', () => {
  const source = readFileSync(new URL('../../gateway/exchange.ts', import.meta.url), 'utf8')
  const steps = new Set([...source.matchAll(/step\('([a-z-]+)'/g)].map(([, name]) => name))
  const named = headings.filter((title) => /^[a-z]/.test(title))
  expect(new Set(named.map((title) => title.replace(/ \(provider\)$/, '')))).toEqual(steps)
})

it('has every section that the code cites', () => {
  const files = globSync('{protocol,gateway,pki,service-catalogue,runtime,adapters,cli}/**/*.ts')
  const cited = files.flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/protocol\/README\.md §(\d+(?:\.\d+)?)/g)].map(
      ([, number]) => number!,
    ),
  )
  const numbers = headings.map((title) => /^(\d+(?:\.\d+)?)/.exec(title)?.[1])
  expect(cited.length).toBeGreaterThan(20)
  for (const number of new Set(cited)) expect(numbers).toContain(number)
})

it('cites no section of its own that is not there', () => {
  const numbers = headings.map((title) => /^(\d+(?:\.\d+)?)/.exec(title)?.[1])
  // A section of another document follows its name: RFC 8785 §3.2.
  const own = text.replaceAll(/(?:RFC \d+|PR-[A-Z]+|TS [\d ]+-\d) (?:§[\d.–]+(?:, )?)+/g, '')
  for (const [, number] of own.matchAll(/§(\d+(?:\.\d+)?)/g)) expect(numbers).toContain(number)
})

it('lists every limit with its value', () => {
  const [, section] = text.split(/^## 9\. /m)
  const listed = [...section!.matchAll(/^\| `(\w+)` \| (\d+) \| /gm)]
  expect(Object.fromEntries(listed.map(([, name, value]) => [name, Number(value)]))).toEqual(LIMITS)
})

it('describes every file of vectors, and names none that is missing', () => {
  const files = globSync('tests/vectors/*.json').map((file) => file.split('/').at(-1)!)
  // §12.6 has names of files in archives, which are none.
  const protocol = text.replace(/^### 12\.6 [\s\S]*?^## /m, '## ')
  const named = [...protocol.matchAll(/`([\w-]+\.json)`/g)].map(([, name]) => name!)
  for (const file of files) expect(named).toContain(file)
  for (const name of named)
    expect([name, existsSync(`tests/vectors/${name}`)]).toEqual([name, true])
})
