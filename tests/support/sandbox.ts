import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sandboxPlan, type SandboxPlan } from '../../examples/sandbox/plan.ts'

export const ROOT = join(import.meta.dirname, '..', '..')
export const PROVINCES = join(ROOT, 'examples', 'sandbox', 'data', 'provinces.csv')
export const CLIENT = 'KH-DEV/COM/MEKONGBANK/KYC'

/** Below the ports that the system hands out by itself, and seldom the same twice. */
export function portOffset(): number {
  return 6000 + Math.floor(Math.random() * 160) * 100
}

/** A plan in a folder of its own, which goes with it. */
export function temporaryPlan(): SandboxPlan & Disposable {
  const dir = mkdtempSync(join(tmpdir(), 'sandbox-'))
  return {
    ...sandboxPlan({ dir, offset: portOffset(), data: PROVINCES }),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  }
}
