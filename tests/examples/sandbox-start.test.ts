/** A start of the sandbox that does not come to its end. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { portOffset, ROOT } from '../support/sandbox.ts'

const run = promisify(execFile)
const dir = mkdtempSync(join(tmpdir(), 'sandbox-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

describe('a start of the sandbox', () => {
  const left = (where: string): string[] =>
    readdirSync('/proc')
      .filter((pid) => /^\d+$/.test(pid))
      .filter((pid) => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(where)
        } catch {
          return false // it has ended meanwhile
        }
      })

  it('that is interrupted leaves no program behind', async () => {
    const where = join(dir, 'interrupted')
    const at = String(await portOffset())
    const args = ['examples/sandbox/main.ts', '--dir', where, '--port-offset', at]
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'ignore' })
    while (left(join(where, 'authority')).length === 0) {
      await new Promise((done) => setTimeout(done, 10))
    }
    child.kill('SIGINT')
    await once(child, 'exit')
    expect(left(where)).toEqual([])
  })

  it('that fails because of one program ends, with that reason, and leaves none behind', async () => {
    const where = join(dir, 'failing')
    const at = await portOffset()
    const taken = createServer().listen(9002 + at, '127.0.0.1')
    const args = ['examples/sandbox/main.ts', '--dir', where, '--port-offset', String(at)]
    const failure = await run(process.execPath, args, { cwd: ROOT }).then(
      () => undefined,
      (error: unknown) => error as { code: number; stderr: string },
    )
    taken.close()
    expect(failure?.code).toBe(1)
    expect(failure?.stderr).toContain(`port ${9002 + at}`)
    expect(left(where)).toEqual([])
  })
})
