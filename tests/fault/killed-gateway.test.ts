import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { sandboxFiles } from '../../examples/sandbox/config-files.ts'
import { adminOf } from '../../examples/sandbox/provision.ts'
import { startSandbox } from '../../examples/sandbox/sandbox.ts'
import type { SandboxPlan } from '../../examples/sandbox/plan.ts'
import { startProgram } from '../../runtime/child-program.ts'
import type { StoredRecord } from '../../exchange-log/record.ts'
import { send } from '../support/http.ts'
import { CLIENT, ROOT, temporaryPlan } from '../support/sandbox.ts'

/** Calls without pause on some connections until told to stop; every id that was answered with 200. */
function load(port: number): { answered: string[]; stop: () => Promise<void> } {
  const answered: string[] = []
  let on = true
  const worker = async (): Promise<void> => {
    while (on) {
      const path = '/r1/KH-DEV/GOV/NCDD/GAZETTEER/places/01'
      const call = send({ port, path, rawHeaders: ['X-Road-Client', CLIENT] })
      const answer = await call.catch(() => undefined)
      if (answer?.status === 200) answered.push(String(answer.headers['x-road-request-id']))
      else await new Promise((done) => setTimeout(done, 20))
    }
  }
  const workers = Array.from({ length: 12 }, worker)
  return {
    answered,
    stop: async () => {
      on = false
      await Promise.all(workers)
    },
  }
}

async function entriesOf(
  plan: SandboxPlan,
  name: string,
  ids: string[],
): Promise<StoredRecord[][]> {
  const { adminPort } = plan.gateways.find((gateway) => gateway.name === name)!
  await using admin = adminOf(plan, adminPort, sandboxFiles(plan.dir).gateway(name).token)
  const found: StoredRecord[][] = []
  for (const id of ids) {
    const answer = await admin
      .call<{ entries: StoredRecord[] }>('GET', `/admin/log/${id}`)
      .catch(() => ({ entries: [] }))
    found.push(answer.entries)
  }
  return found
}

describe('a gateway killed under load', () => {
  it.each(['mekongbank', 'ncdd'])(
    '%s: has lost no exchange that was answered, and works again',
    async (name) => {
      using plan = await temporaryPlan()
      await using sandbox = await startSandbox(plan, { fresh: true, progress: () => undefined })
      const { httpPort } = plan.gateways.find((gateway) => gateway.httpPort !== 0)!
      const program = sandbox.programs.find((candidate) => candidate.name === `gateway-${name}`)!
      const calls = load(httpPort)
      while (calls.answered.length < 200) await new Promise((done) => setTimeout(done, 5))
      program.kill('SIGKILL')
      await program.ended
      const beforeKill = calls.answered.length
      const again = await startProgram({
        name,
        file: join(ROOT, 'gateway', 'main.ts'),
        args: [sandboxFiles(plan.dir).gateway(name).config],
        logFile: program.logFile,
      })
      await using _restarted = again
      while (calls.answered.length < beforeKill + 50)
        await new Promise((done) => setTimeout(done, 5))
      await calls.stop()

      for (const side of ['mekongbank', 'ncdd']) {
        const found = await entriesOf(plan, side, calls.answered)
        const whole = found.filter((entries) => {
          const kinds = entries.map(({ kind, manifest }) => (manifest ? kind : 'none')).join()
          return kinds === 'request,response'
        })
        expect(whole.length, side).toBe(calls.answered.length)
      }
    },
  )
})
