import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'
import { runCommand } from '../../cli/run-command.ts'
import { startTestCatalogue, type Running } from '../service-catalogue/support.ts'

const MAIN = join(import.meta.dirname, '../../cli/main.ts')

export interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}
export type Spean = (args: readonly string[], options?: SpeanOptions) => Promise<Ended>
interface SpeanOptions {
  readonly profile?: string
  readonly input?: string
  readonly killAfter?: (out: string) => boolean
}

/** The command in a folder: in this process, which is quicker; else, with what only a process has, as one. */
export function speanIn(dir: string): Spean {
  return async (args, options = {}) => {
    const { profile = 'spean.json' } = options
    const argv = ['--profile', join(dir, profile), ...args]
    if ('input' in options || 'killAfter' in options) return await asProcess(dir, argv, options)
    return await here(argv.map((word) => (existsSync(join(dir, word)) ? join(dir, word) : word)))
  }
}

async function here(argv: readonly string[]): Promise<Ended> {
  let [out, err] = ['', '']
  const spies = [
    vi.spyOn(console, 'log').mockImplementation((line: string) => void (out += `${line}\n`)),
    vi.spyOn(console, 'error').mockImplementation((line: string) => void (err += `${line}\n`)),
    vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out += String(text)
      return true
    }),
  ]
  try {
    await runCommand(argv)
    return { code: Number(process.exitCode ?? 0), out, err }
  } finally {
    process.exitCode = undefined
    for (const spy of spies) spy.mockRestore()
  }
}

function asProcess(
  cwd: string,
  argv: readonly string[],
  { input = '', killAfter }: SpeanOptions,
): Promise<Ended> {
  const { SPEAN_PROFILE: _, ...env } = process.env
  return new Promise((resolve) => {
    const options = { cwd, env, maxBuffer: 2 ** 28 }
    const child = execFile(process.execPath, [MAIN, ...argv], options, (error, out, err) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), out, err })
    })
    child.stdin?.on('error', () => {}) // it may have ended
    child.stdin?.end(input)
    let seen = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      seen += chunk.toString()
      if (killAfter?.(seen) === true) child.kill('SIGKILL')
    })
  })
}

export interface ApplyRun extends AsyncDisposable {
  readonly running: Running
  readonly dir: string
  readonly spean: Spean
  readonly write: (name: string, content: string) => string
  /** Writes the profile NAME.json for an API key. */
  readonly withKey: (name: string, key: string) => void
}

/** A catalogue of its own, with a profile for its operator. */
export async function startApply(): Promise<ApplyRun> {
  const running = await startTestCatalogue()
  const dir = mkdtempSync(join(tmpdir(), 'apply-'))
  const write = (name: string, content: string): string => {
    writeFileSync(join(dir, name), content, { mode: 0o600 })
    return join(dir, name)
  }
  const profile = (name: string, token: string): void => {
    write(`${name}.token`, token)
    const catalogue = { url: running.catalogue.url, tokenFile: `${name}.token` }
    const content = { instance: 'KH-DEV', caFile: 'ca.pem', catalogue, gateways: {} }
    write(`${name}.json`, JSON.stringify(content))
  }
  write('ca.pem', running.authority.root.certificate.pem)
  profile('spean', running.catalogue.adminToken)
  return {
    ...{ running, dir, spean: speanIn(dir), write, withKey: profile },
    [Symbol.asyncDispose]: async () => {
      await running[Symbol.asyncDispose]()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** An OpenAPI description of one path, whose answer has these fields. */
export const describe = (...fields: string[]): object => ({
  openapi: '3.0.3',
  info: { title: 'Things', version: '1' },
  paths: {
    '/things': {
      get: {
        responses: {
          200: {
            description: 'all',
            content: {
              'application/json': {
                schema: {
                  type: 'object',
                  properties: Object.fromEntries(fields.map((f) => [f, { type: 'string' }])),
                },
              },
            },
          },
        },
      },
    },
  },
})
