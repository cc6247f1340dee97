import { createWriteStream } from 'node:fs'
import { readFile, rename, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { Command } from 'commander'
import { verifyEvidence, type Check, type Report } from '../../exchange-log/evidence/verify.ts'
import { CertificateError, parseCertificates, type Certificate } from '../../pki/certificate.ts'
import { ApiError, apiPath } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { NoteError } from '../../protocol/signed-note.ts'
import { parsePolicy } from '../../protocol/tlog-policy.ts'
import { profileOf } from '../context.ts'
import { printJson, printLine } from '../output.ts'

/** Everything that is here verifies, but something that belongs to it is not here. */
const INCOMPLETE = 3

interface GetOptions {
  readonly gateway?: string
  readonly out?: string
  readonly side?: string
  readonly allowIncomplete?: boolean
}
interface VerifyOptions {
  readonly anchor?: readonly string[]
  readonly policy?: string
}

/** `spean evidence get` and `spean evidence verify`. */
export function addEvidenceCommands(program: Command): void {
  const evidence = program.command('evidence').description('what proves an exchange, to anybody')
  evidence
    .command('get <exchange-id>')
    .description("one archive with everything that proves an exchange, from a gateway's log")
    .option('-g, --gateway <name>', 'gateway of the profile; else SPEAN_GATEWAY')
    .option('-o, --out <file>', 'the archive; default evidence-EXCHANGE-ID.zip')
    .option('--side <side>', 'client or provider, when the gateway had both roles')
    .option(
      '--allow-incomplete',
      'take what there is, when something that belongs to it is missing',
    )
    .action(async (exchangeId: string, options: GetOptions, command: Command) => {
      const { gateway, side, allowIncomplete, out = `evidence-${exchangeId}.zip` } = options
      const query = new URLSearchParams({
        ...(side === undefined ? {} : { side }),
        ...(allowIncomplete ? { incomplete: 'allow' } : {}),
      })
      await using api = profileOf(command).gateway(gateway)
      const path = `${apiPath('/evidence', exchangeId)}?${query.toString()}`
      await save(await api.download(path), out)
      if (wantsJson(command)) printJson({ file: out })
      else printLine(`${out}; verify it: spean evidence verify ${out}`)
    })
  evidence
    .command('verify <file>')
    .description(
      'verifies an archive without any gateway; exit status 0: all of it, 1: something is wrong, 2: used wrongly, 3: all that is there, but it is incomplete',
    )
    .option('--anchor <file...>', 'roots to trust (PEM, or anchor.json); else those in the archive')
    .option('--policy <file>', 'keys of logs and witnesses to trust; else those in the archive')
    .action(async (file: string, options: VerifyOptions, command: Command) => {
      const isJson = wantsJson(command)
      const trust = {
        ...(options.anchor ? { anchors: await readAnchors(options.anchor) } : {}),
        ...(options.policy === undefined ? {} : { policy: await readPolicyFile(options.policy) }),
      }
      const report = await verifyEvidence(file, trust, isJson ? undefined : printCheck).catch(
        (error: unknown) => {
          throw unreadable(file, error)
        },
      )
      if (isJson) printJson(report)
      else printVerdict(report)
      process.exitCode = { verified: 0, failed: 1, incomplete: INCOMPLETE }[report.verdict]
    })
}

const wantsJson = (command: Command): boolean =>
  command.optsWithGlobals<{ json?: boolean }>().json === true

/** A file of that name is whole or not there. */
async function save(archive: NodeJS.ReadableStream, out: string): Promise<void> {
  const partial = `${out}.partial`
  try {
    await pipeline(archive, createWriteStream(partial, { mode: 0o600 }))
    await rename(partial, out)
  } catch (cause) {
    await rm(partial, { force: true })
    const { code = '', message } = cause as NodeJS.ErrnoException
    if (/^E[A-Z]+$/.test(code) && code !== 'ECONNRESET') throw unreadable(out, cause)
    throw new ApiError(`the archive broke off (${code === '' ? message : code})`, { cause })
  }
}

function printCheck({ name, isOk, says, from, code }: Check): void {
  const mark = isOk ? '✓' : '✗'
  const failed = code === undefined ? '' : ` (${code})`
  printLine(`${mark} ${name.padEnd(20)} ${says}${failed}   [${from.join(', ')}]`)
}

function printVerdict({ verdict, absent, unpinned }: Report): void {
  for (const { what, reason, detail } of absent) printLine(`− ${what}: ${reason}; ${detail}`)
  if (verdict === 'failed') {
    printLine('\nThis evidence is NOT valid: see the line with ✗.')
    return
  }
  if (unpinned.length > 0) {
    printLine(
      '\nThese keys are from the archive itself. Compare them with what the operators published, or',
    )
    printLine('give them with --anchor and --policy:')
    for (const line of unpinned) printLine(`  ${line}`)
  }
  printLine(
    verdict === 'incomplete'
      ? '\nAll that is here verifies; the evidence is INCOMPLETE: see the lines with −.'
      : '\nVerified.',
  )
}

async function readAnchors(files: readonly string[]): Promise<Certificate[]> {
  const anchors: Certificate[] = []
  for (const file of files) {
    const text = await readText(file)
    try {
      const roots = text.trimStart().startsWith('{')
        ? (JSON.parse(text) as { rootCertificates: string[] }).rootCertificates
        : [text]
      anchors.push(...roots.flatMap(parseCertificates))
    } catch (cause) {
      const isExpected =
        cause instanceof CertificateError ||
        cause instanceof SyntaxError ||
        cause instanceof TypeError
      if (!isExpected) throw cause
      throw new ConfigError(`${file}: holds no root certificates (${cause.message})`, { cause })
    }
  }
  return anchors
}

async function readPolicyFile(file: string): Promise<string> {
  const text = await readText(file)
  try {
    parsePolicy(text)
  } catch (cause) {
    if (!(cause instanceof NoteError)) throw cause
    throw new ConfigError(`${file}: ${cause.message}`, { cause })
  }
  return text
}

function readText(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: unknown) => {
    throw unreadable(file, error)
  })
}

/** A bug stays one. */
function unreadable(file: string, cause: unknown): unknown {
  const { code } = cause as NodeJS.ErrnoException
  if (!/^E[A-Z]+$/.test(code ?? '')) return cause
  return new ConfigError(`${file}: cannot be read or written (${code})`, { cause })
}
