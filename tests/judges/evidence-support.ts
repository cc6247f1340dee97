/** A federation whose evidence is judged: real authority, OCSP, time-stamps; and how an archive is unpacked and judged. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import { rmSync } from 'node:fs'
import { fromBufferPromise } from 'yauzl'
import { REGISTRY, startFederation, type Federation } from '../support/federation.ts'
import {
  startTimeStampingServer,
  type TimeStampingServer,
} from '../support/time-stamping-server.ts'
import type { KeyKind } from '../../pki/keys.ts'
import type { GatewayConfig } from '../../gateway/config.ts'

export interface Judged extends AsyncDisposable {
  readonly federation: Federation
  readonly tsa: TimeStampingServer
  /** Calls, and resolves to the exchange id. */
  exchange(body?: string): Promise<string>
  evidence(exchangeId: string, query?: string): Promise<Buffer>
}

export async function startJudged(
  keyKind: KeyKind = 'P-256',
  changes: Partial<GatewayConfig> = {},
): Promise<Judged> {
  await using resources = new AsyncDisposableStack()
  const tsa = resources.use(await startTimeStampingServer())
  const federation = resources.use(
    await startFederation({ keyKind, client: changes, provider: changes }),
  )
  await federation.catalogueAdmin.call('PUT', '/admin/time-stamping-authorities/national', {
    url: tsa.url,
    certificates: [tsa.tsa.root.pem],
  })
  await federation.settled()
  const owned = resources.move()
  return {
    federation,
    tsa,
    exchange: async (body = 'ឈ្មោះ') => {
      const path = `/r1/${REGISTRY}/echo/citizens?name=${encodeURIComponent('សុខា')}`
      const { headers, status } = await federation.call(path, { method: 'POST', body })
      if (status !== 200) throw new TypeError(`the call was answered ${status}`)
      return String(headers['x-road-request-id'])
    },
    evidence: async (id, query = '') =>
      buffer(await federation.client.admin.download(`/evidence/${id}${query}`)),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** What is in an archive, by name. */
export async function filesOf(archive: Buffer): Promise<Map<string, Buffer>> {
  const zip = await fromBufferPromise(archive, { lazyEntries: true })
  const files = new Map<string, Buffer>()
  for await (const entry of zip.eachEntry()) {
    files.set(entry.fileName, await buffer(await zip.openReadStreamPromise(entry)))
  }
  return files
}

/** A folder with the files, which goes when the test has ended. */
export function unpack(files: ReadonlyMap<string, Buffer>): string {
  const folder = mkdtempSync(join(tmpdir(), 'spean-evidence-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), bytes)
  }
  return folder
}

export interface Verdict {
  readonly status: number
  readonly output: string
}

/** The blocks of the folder's VERIFY.md, taken out as it says and run by Debian's own programs only. */
export function judge(folder: string): Promise<Verdict> {
  const script = `${folder}.sh`
  onTestFinished(() => rmSync(script, { force: true }))
  const take = "sed -n '/^```sh$/,/^```$/{/^```/!p}' VERIFY.md"
  const env = { PATH: '/usr/bin:/bin', TMPDIR: tmpdir() }
  return new Promise((done) => {
    execFile(
      '/bin/sh',
      ['-c', `${take} > ${script}; sh ${script}; s=$?; rm -rf "$W"; exit $s`],
      { cwd: folder, env, timeout: 60_000 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        done({ status: code, output: stdout + stderr })
      },
    )
  })
}
