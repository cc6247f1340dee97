import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Debian's source packages: what a judge is built of, without a network. */
const SOURCES = '/usr/share/gocode'
/** Debian's own; another Go may come first on the path. */
const DEBIAN_GO = '/usr/bin/go'

export interface GoJudge extends Disposable {
  /** Gives lines to its standard input. @returns its output; both streams and its status. */
  run(args: readonly string[], lines?: readonly object[]): Promise<Ran>
}
export interface Ran {
  readonly exitCode: number
  readonly lines: string[]
  readonly errors: string
}

/** @throws TypeError naming the command that installs Go, when it is missing. */
export async function buildGoJudge(folder: string): Promise<GoJudge> {
  if (!existsSync(DEBIAN_GO) || !existsSync(join(SOURCES, 'src/golang.org/x/mod/sumdb'))) {
    throw new TypeError('Go and its x/mod are missing; run: sh bin/test-tools')
  }
  const dir = mkdtempSync(join(tmpdir(), 'go-judge-'))
  const program = join(dir, 'judge')
  const offline = { GO111MODULE: 'off', GOPATH: SOURCES, GOFLAGS: '', GOTOOLCHAIN: 'local' }
  const env = { ...process.env, ...offline, GOROOT: '', GOCACHE: join(dir, 'cache') }
  await promisify(execFile)(DEBIAN_GO, ['build', '-o', program, '.'], { cwd: folder, env })
  return {
    run: (args, lines = []) => run(program, args, lines),
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  }
}

function run(program: string, args: readonly string[], lines: readonly object[]): Promise<Ran> {
  const child = spawn(program, args)
  const output: Buffer[] = []
  const errors: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => output.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk))
  child.stdin.on('error', () => undefined) // it may end before it has read all
  child.stdin.end(lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code) => {
      const text = Buffer.concat(output).toString()
      resolve({
        exitCode: code ?? -1,
        lines: text.split('\n').filter((line) => line !== ''),
        errors: Buffer.concat(errors).toString(),
      })
    })
  })
}
