import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { EVIDENCE_ERRORS } from '../../exchange-log/evidence/evidence-errors.ts'
import { ALL_FILES, CHAINS, MESSAGES, PARTS } from '../../exchange-log/evidence/layout.ts'

it('docs/evidence.md lists every code with its meaning', () => {
  const rows = readFileSync('docs/evidence.md', 'utf8').matchAll(
    /^\| `(evidence\.\S+)` +\| (.+?) +\|$/gm,
  )
  expect(Object.fromEntries([...rows].map(([, code, meaning]) => [code, meaning]))).toEqual(
    EVIDENCE_ERRORS,
  )
})

it('protocol/README.md §12.6 has a row for every name, and no other', () => {
  const text = readFileSync('protocol/README.md', 'utf8').split('### 12.6 Evidence')[1]!
  const cells = text.split('\n\n')[2]!.match(/^\| `[^|]+/gm)!
  const names = cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!))
  const every = names.flatMap((name) =>
    (name.startsWith('PART') ? PARTS : name.startsWith('MESSAGE') ? MESSAGES : CHAINS).flatMap(
      (one) =>
        ['1', '2', '3', '4', '5'].map((n) =>
          name.replace(/^PART|^MESSAGE|CHAIN/, one).replace('.N.', `.${n}.`),
        ),
    ),
  )
  expect(new Set(every)).toEqual(ALL_FILES)
})
