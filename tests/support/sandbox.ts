import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isFree } from './http.ts'
import { sandboxPlan, type SandboxPlan } from '../../examples/sandbox/plan.ts'

export const ROOT = join(import.meta.dirname, '..', '..')
export const PROVINCES = join(ROOT, 'examples', 'sandbox', 'data', 'provinces.csv')
export const CLIENT = 'KH-DEV/COM/MEKONGBANK/KYC'

/** An offset at which every port of the sandbox is free, below those that the system hands out. */
export async function portOffset(): Promise<number> {
  for (;;) {
    const offset = 6000 + Math.floor(Math.random() * 16_000)
    const ports = portsOf(sandboxPlan({ dir: '/', offset, data: PROVINCES }))
    if ((await Promise.all(ports.map(isFree))).every(Boolean)) return offset
  }
}

function portsOf({ authority, cataloguePort, gateways }: SandboxPlan): number[] {
  const own = gateways.flatMap(
    ({ peerPort, adminPort, transparencyPort, httpPort, httpsPort, register }) => [
      ...[peerPort, adminPort, transparencyPort, httpPort, httpsPort],
      register?.port ?? 0,
    ],
  )
  return [authority.publicPort, authority.adminPort, cataloguePort, ...own].filter(Boolean)
}

/** A plan in a folder of its own, which goes with it. */
export async function temporaryPlan(): Promise<SandboxPlan & Disposable> {
  const dir = mkdtempSync(join(tmpdir(), 'sandbox-'))
  return {
    ...sandboxPlan({ dir, offset: await portOffset(), data: PROVINCES }),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  }
}
