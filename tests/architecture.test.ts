import { globSync, readFileSync } from 'node:fs'
import { dirname, join, sep } from 'node:path'
import { expect, it } from 'vitest'

/** For each folder, the folders its files may import. docs/architecture.md shows it as a drawing. */
const MAY_IMPORT: Record<string, string[]> = {
  protocol: [],
  runtime: ['protocol'],
  // Descriptions of services: the catalogue reads them at publication, gateways compare messages with them.
  openapi: ['protocol', 'runtime'],
  pki: ['protocol', 'runtime'],
  adapters: ['protocol', 'runtime'],
  // The log and the evidence in it: the gateway writes them, the command verifies them without a gateway.
  'exchange-log': ['protocol', 'runtime', 'pki'],
  // What watches logs: the same in gateways and in the catalogue.
  witness: ['protocol', 'runtime'],
  'service-catalogue': ['protocol', 'runtime', 'pki', 'witness', 'openapi'],
  gateway: ['protocol', 'runtime', 'pki', 'exchange-log', 'witness', 'openapi'],
  cli: ['protocol', 'runtime', 'pki', 'adapters', 'exchange-log'],
  examples: ['protocol', 'runtime', 'pki', 'adapters', 'service-catalogue', 'gateway', 'witness'],
  docs: [
    ...['protocol', 'runtime', 'pki', 'adapters', 'service-catalogue', 'gateway', 'cli'],
    'witness',
  ],
}
/** Who may know a thing: files matching the first pattern are imported only by the second. */
const KNOWN_ONLY_BY: [thing: RegExp, by: RegExp][] = [
  [/^pki\/authority\//, /^(pki\/authority|examples|docs)\//],
  // The composition root of each program is its server.ts; main.ts runs it. Of the log it is open-log.ts, of quotas open-quotas.ts.
  [
    /-(sqlite|postgres|redis)\.ts$/,
    /^(gateway\/server|gateway\/quota\/open-quotas|exchange-log\/open-log)\.ts$/,
  ],
  [
    /^gateway\/(access|catalogue|credentials|peers|quota|renewal|replay|services|time-stamps|trust|user-tokens)\//,
    /^(gateway|docs)\//,
  ],
  [/^gateway\/validation\//, /^gateway\//],
  [/^gateway\/steps\//, /^gateway\/(exchange\.ts|steps\/)/],
  // What steps judge, an explanation judges by the same.
  [/^gateway\/checks\//, /^gateway\/(checks|steps|explain)\//],
]
/** Steps know ports, the protocol and certificates; never how a port is implemented. */
const STEP_MAY_IMPORT =
  /^(protocol\/|pki\/certificate\.ts$|exchange-log\/record\.ts$|gateway\/(ports|exchange-state|catalogue-view)\.ts$|gateway\/(checks|steps)\/)/

const files = globSync(Object.keys(MAY_IMPORT).map((folder) => `${folder}/**/*.ts`))
const text = new Map(files.map((file) => [file, readFileSync(file, 'utf8')]))
const imports = new Map(
  [...text].map(([file, source]) => [
    file,
    [...source.matchAll(/from '(\.[^']+)'/g)].map((m) => join(dirname(file), m[1]!)),
  ]),
)

it.each(files)('%s imports only what it may', (file) => {
  const folder = file.split(sep)[0]!
  const forbidden = imports.get(file)!.filter((path) => {
    const other = path.split(sep)[0]!
    if (other !== folder && !MAY_IMPORT[folder]!.includes(other)) return true
    const isJudge = /^gateway\/(checks|steps)\//.test(file)
    if (isJudge && !STEP_MAY_IMPORT.test(path)) return true
    return KNOWN_ONLY_BY.some(([thing, by]) => thing.test(path) && !by.test(file))
  })
  expect(forbidden).toEqual([])
})

it('has no import cycles, types included', () => {
  // What leads to no cycle does so by whichever way one comes to it.
  const without = new Set<string>()
  const visit = (file: string, trail: string[]): string[] => {
    if (trail.includes(file)) return [...trail.slice(trail.indexOf(file)), file]
    if (without.has(file)) return []
    const found = (imports.get(file) ?? []).reduce<string[]>(
      (cycle, next) => (cycle.length > 0 ? cycle : visit(next, [...trail, file])),
      [],
    )
    if (found.length === 0) without.add(file)
    return found
  }
  expect(files.map((file) => visit(file, [])).find((cycle) => cycle.length > 0)).toBeUndefined()
})

it.each(files)('%s is at most 350 lines, without bare Error, default export or barrel', (file) => {
  expect(text.get(file)!.split('\n').length).toBeLessThanOrEqual(350)
  expect(text.get(file)).not.toMatch(/throw new Error\(|^export default|^export \* from/m)
  const code = text.get(file)!.replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
  expect(code).not.toMatch(/(: |\bas |<)any\s*([;,)>=|&[\]{}]|$)/m)
})

const tests = globSync('{tests,bench}/**/*.ts')

it.each(tests)('%s is at most 350 lines', (file) => {
  expect(readFileSync(file, 'utf8').split('\n').length).toBeLessThanOrEqual(350)
})
