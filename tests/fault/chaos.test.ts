import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { runChaos, VICTIMS } from '../../bench/chaos/run.ts'
import { openStore, STORES } from '../../bench/chaos/store.ts'

const KILLS = 10

// The same, longer: npm run chaos -- --kills 1000
it.each(STORES)(
  'gateways with their logs in %s, killed at any moment under load, lose no exchange that was answered',
  async (kind) => {
    const dir = mkdtempSync(join(tmpdir(), 'chaos-'))
    try {
      await using store = await openStore(kind, { gateways: VICTIMS, dir })
      const seed = Math.floor(Math.random() * 2 ** 32)
      const lines: string[] = []
      const report = (line: string): void => void lines.push(line)
      const findings = await runChaos({ dir, kills: KILLS, seed, store, report })
      expect(findings, [`seed ${seed}`, ...lines].join('\n')).toEqual([])
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  },
  300_000,
)
