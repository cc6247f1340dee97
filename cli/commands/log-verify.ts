import { readFileSync, statSync } from 'node:fs'
import type { Command } from 'commander'
import { openArchiveSource, type ArchiveSource } from '../../exchange-log/archive/archive-source.ts'
import { readPostgresUrl } from '../../exchange-log/postgres-url.ts'
import { chainRecords } from '../../exchange-log/archive/chained-records.ts'
import { openEncryptionKey } from '../../exchange-log/encryption-key.ts'
import { createRecordKeys, type RecordKeys } from '../../exchange-log/record-keys.ts'
import { readForeignCheckpoint } from '../../exchange-log/verify/checkpoint-check.ts'
import { createDigestCheck } from '../../exchange-log/verify/content-digests.ts'
import type { Finding } from '../../exchange-log/verify/finding.ts'
import { openFolderSource } from '../../exchange-log/verify/folder-source.ts'
import {
  asConfig,
  findLogKey,
  readPolicyFile,
  type FoundLogKey,
} from '../../exchange-log/verify/log-key.ts'
import { openPostgresSource } from '../../exchange-log/verify/postgres-source.ts'
import { positionAt } from '../../exchange-log/verify/positions.ts'
import type { LiveSource, LogSource } from '../../exchange-log/verify/source.ts'
import {
  verifyLog,
  type VerifyOptions,
  type VerifyResult,
} from '../../exchange-log/verify/verify-log.ts'
import { CertificateError, parseCertificates } from '../../pki/certificate.ts'
import { readPassphrase } from '../../pki/keys.ts'
import { systemClock } from '../../runtime/clock.ts'
import { ConfigError } from '../../runtime/config.ts'
import { countText } from '../../runtime/count-text.ts'
import { createLogger } from '../../runtime/logger.ts'
import { printJson, printLine, printRecord } from '../output.ts'
import { createProgress } from '../progress.ts'

interface Options {
  readonly postgresUrlFile?: string
  readonly logKey?: string
  readonly policy?: string
  readonly anchor?: string[]
  readonly checkpoint?: string[]
  readonly from?: string
  readonly to?: string
  readonly signatures?: boolean
  readonly content?: string
  readonly archive?: string[]
  readonly all?: boolean
}

const WHERE = {
  given: 'as given',
  policy: 'of the policy',
  folder: 'of the folder itself: give --log-key to check against a key that you know',
}
/** Of a program that was interrupted (128 + SIGINT). */
const INTERRUPTED = 130

/** `spean log verify`. */
export function addVerifyCommand(log: Command): void {
  log
    .command('verify [place]')
    .description("re-checks a log: a gateway's stateDir, also while it is written, or an archive")
    .option(
      '--postgres-url-file <file>',
      'URL of the log in PostgreSQL, for a role that may read it',
    )
    .option('--log-key <vkey>', 'verifier key of the log, or a file with it')
    .option('--policy <file>', 'tlog-policy: keys of logs and witnesses; cosignatures are checked')
    .option('--anchor <file...>', 'certificates (PEM) that time-stamps must lead to')
    .option('--checkpoint <file...>', 'checkpoints that others kept, as a witness')
    .option('--archive <file...>', 'archives of the log, to check the whole as one')
    .option('--from <place>', 'first position, or time of recording (2026-01-31T08:00:00Z)')
    .option('--to <place>', 'last position, or time of recording')
    .option('--signatures', 'verify the signature of each manifest as well')
    .option(
      '--content <key>',
      'decrypt what was kept with this file or pkcs11: URI, and compare it',
    )
    .option('--all', 'go on after the first fault, and name every one')
    .action(async (place: string | undefined, options: Options, command: Command) => {
      const { isExcerpt, archives, ...source } = await openSource(place, options)
      await using _open = source
      const policy = options.policy === undefined ? undefined : readPolicyFile(options.policy)
      const keyFile = isExcerpt || place === undefined ? undefined : `${place}/log.key`
      const key = await findLogKey(source, { given: options.logKey, policy, keyFile })
      const verified = await verifyWithProgress(source, {
        ...{ logKey: key.verifier, policy, isExcerpt },
        anchors: options.anchor?.flatMap(readCertificates),
        foreign: (options.checkpoint ?? []).map((file) =>
          asConfig(file, () => readForeignCheckpoint(readFileSync(file, 'utf8'), key.verifier)),
        ),
        from: options.from === undefined ? undefined : await placeOf(options.from, source),
        to: options.to === undefined ? undefined : await placeOf(options.to, source, -1),
        all: options.all === true,
        signatures: options.signatures === true,
        ...(options.content === undefined
          ? {}
          : { inspect: createDigestCheck(source.records, await openKeys(options.content)) }),
      })
      const isDone = verified.isStopped || (verified.findings.length > 0 && options.all !== true)
      const altered = isDone ? [] : archives.filter(([, archive]) => !archive.hasAllContent())
      const findings = [...verified.findings, ...altered.map(([file]) => alteredContent(file))]
      const result = { ...verified, findings }
      if (command.optsWithGlobals<{ json?: boolean }>().json === true) {
        printJson({ ...result, origin: key.verifier.name, keyFrom: key.from })
      } else printResult(result, key, options.all === true)
      if (result.findings.length > 0) process.exitCode = 1
      else if (result.isStopped) process.exitCode = INTERRUPTED
    })
}

/** A folder or a database, with what left it; or an archive by itself. */
async function openSource(
  place: string | undefined,
  { archive: archives = [], postgresUrlFile }: Options,
): Promise<
  LogSource & {
    readonly isExcerpt: boolean
    readonly archives: readonly (readonly [file: string, archive: ArchiveSource])[]
  }
> {
  if (postgresUrlFile === undefined) {
    if (place === undefined) {
      throw new ConfigError('name a stateDir or an archive, or the database: --postgres-url-file')
    }
    if (statSync(place, { throwIfNoEntry: false })?.isFile() === true) {
      const archive = openArchiveSource(place)
      return { ...archive, isExcerpt: true, archives: [[place, archive]] }
    }
  }
  await using opening = new AsyncDisposableStack()
  const live = opening.use(await openLive(place, postgresUrlFile))
  const opened = archives.map((file) => opening.use(openArchiveSource(file)))
  const open = opening.move()
  return {
    ...live,
    records: chainRecords(live.records, opened, live.keysIn),
    isExcerpt: false,
    archives: opened.map((archive, i) => [archives[i]!, archive] as const),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

async function openLive(
  folder: string | undefined,
  postgresUrlFile: string | undefined,
): Promise<LiveSource> {
  return postgresUrlFile === undefined
    ? openFolderSource(folder!)
    : openPostgresSource(readPostgresUrl(postgresUrlFile))
}

/** Which record's it is, `--content` tells, with the log that has the keys. */
function alteredContent(file: string): Finding {
  const detail = `the content in ${file} is not the one that was archived`
  return { code: 'archive.altered', detail }
}

async function verifyWithProgress(
  source: LogSource,
  options: VerifyOptions,
): Promise<VerifyResult> {
  using progress = createProgress({ stream: process.stderr, unit: 'records' })
  const stop = new AbortController()
  const interrupt = (): void => stop.abort()
  process.once('SIGINT', interrupt)
  try {
    return await verifyLog(source, {
      ...options,
      signal: stop.signal,
      onProgress: ({ done, total, findings }) =>
        progress.update(done, total, findings === 0 ? 'nothing wrong' : `${findings} wrong`),
    })
  } finally {
    process.removeListener('SIGINT', interrupt)
  }
}

async function openKeys(reference: string): Promise<RecordKeys> {
  const passphrase = readPassphrase({ env: 'SPEAN_GATEWAY_PASSPHRASE' })
  const key = await openEncryptionKey(reference, { mayMake: false, passphrase })
  return createRecordKeys({ key, clock: systemClock, logger: createLogger('spean', 'warn') })
}

/** A position, or the one of a time. */
async function placeOf(text: string, { records }: LogSource, shift = 0): Promise<number> {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text)
  const at = new Date(text)
  if (!/^\d{4}-/.test(text) || Number.isNaN(at.getTime())) {
    throw new ConfigError(`${text} is neither a position nor a time; write 2026-01-31T08:00:00Z`)
  }
  return (await positionAt(records, at)) + shift
}

function readCertificates(file: string): ReturnType<typeof parseCertificates> {
  try {
    const certificates = asConfig(file, () => parseCertificates(readFileSync(file, 'utf8')))
    if (certificates.length > 0) return certificates
    throw new ConfigError(`${file}: holds no PEM certificate`)
  } catch (cause) {
    if (!(cause instanceof CertificateError)) throw cause
    throw new ConfigError(`${file}: ${cause.message}`, { cause })
  }
}

function printResult(result: VerifyResult, { verifier, from }: FoundLogKey, isAll: boolean): void {
  const { findings, records, treeSize, checkpoints, stamps, stampedUpTo, witnessedUpTo } = result
  for (const finding of findings) printLine(findingText(finding))
  printRecord({
    log: verifier.name,
    key: WHERE[from],
    records: `${records}, from position ${result.from} to ${result.to}`,
    tree: `${countText(treeSize, 'leaf', 'leaves')}, ${countText(checkpoints, 'checkpoint')}`,
    'time-stamps': stamps === 0 ? 'none' : `${stamps}, up to position ${stampedUpTo}`,
    witnesses: witnessedUpTo === undefined ? 'not checked: no --policy' : `up to ${witnessedUpTo}`,
    signatures: result.signatures === 0 ? 'not checked' : `${result.signatures} of manifests`,
  })
  const place = `up to position ${result.to}`
  if (result.isStopped)
    printLine(`stopped; ${findings.length === 0 ? 'nothing wrong ' : ''}${place}`)
  else if (findings.length === 0) printLine('nothing is wrong')
  else if (isAll) printLine(`${findings.length} wrong`)
  else printLine('stopped at the first that is wrong; --all goes on, and names every one')
}

function findingText({ code, position, lastPosition, exchangeId, detail }: Finding): string {
  const place =
    position === undefined
      ? ''
      : lastPosition === undefined
        ? ` at ${position}`
        : ` at ${position} to ${lastPosition}`
  const exchange = exchangeId === undefined ? '' : ` (exchange ${exchangeId})`
  return `${code}${place}${exchange}: ${detail}`
}
