/** A federation whose evidence is judged: real authority, OCSP, time-stamps; and how an archive is unpacked and judged. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
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

/** @param stamps whose: the instance's own authority, whose certificate has a state, or another one. */
export async function startJudged({
  keyKind = 'P-256' as KeyKind,
  stamps = 'own' as 'own' | 'other',
  changes = {} as Partial<GatewayConfig>,
} = {}): Promise<Judged> {
  await using resources = new AsyncDisposableStack()
  const tsa = resources.use(await startTimeStampingServer())
  const federation = resources.use(
    await startFederation({ keyKind, client: changes, provider: changes }),
  )
  const { authority, ca } = federation
  const path = '/admin/time-stamping-authorities/national'
  await federation.catalogueAdmin.call(
    'PUT',
    path,
    stamps === 'other'
      ? { url: tsa.url, certificates: [tsa.tsa.root.pem] }
      : { url: `${authority.publicUrl}/tsp`, certificates: [ca] },
  )
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

/** A folder with the files, which goes when the test has ended. */
export function unpack(files: ReadonlyMap<string, Buffer>): string {
  const folder = mkdtempSync(join(tmpdir(), 'spean-evidence-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  write(folder, files)
  return folder
}

export interface Verdict {
  readonly status: number
  readonly printed: string
  readonly errors: string
}

/** The blocks of the folder's VERIFY.md, taken out as it says and run by Debian's own programs only. */
export async function judge(folder: string): Promise<Verdict> {
  const place = mkdtempSync(join(tmpdir(), 'spean-judge-'))
  const script = join(place, 'verify.sh')
  const take = "sed -n '/^```sh$/,/^```$/{/^```/!p}' VERIFY.md"
  const env = { PATH: '/usr/bin:/bin', TMPDIR: place }
  const command = ['-c', `${take} > ${script}; sh ${script}`]
  try {
    return await new Promise((done) => {
      execFile('/bin/sh', command, { cwd: folder, env }, (error, printed, errors) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        done({ status: code, printed, errors })
      })
    })
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

/** As {@link judge}, of files that are in no folder yet; also for tests that run at once. */
export async function judgeFiles(files: ReadonlyMap<string, Buffer>): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), 'spean-evidence-'))
  try {
    write(folder, files)
    return await judge(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function write(folder: string, files: ReadonlyMap<string, Buffer>): void {
  for (const [name, bytes] of files) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), bytes)
  }
}

/** The files, one of them with another byte at a place. */
export function changed(
  files: ReadonlyMap<string, Buffer>,
  name: string,
  place: 'first' | 'middle' | 'last',
): Map<string, Buffer> {
  const bytes = Buffer.from(files.get(name)!)
  const at = { first: 0, middle: Math.floor(bytes.length / 2), last: bytes.length - 1 }[place]
  bytes[at]! ^= 0x04
  return new Map([...files, [name, bytes]])
}
