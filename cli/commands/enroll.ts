import { resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { createEstClient } from '../../pki/est-client.ts'
import { readPassphrase } from '../../pki/keys.ts'
import { readAnchor } from '../../runtime/anchor.ts'
import { ConfigError } from '../../runtime/config.ts'
import {
  ensureBothEnrolled,
  putAside,
  type EnrollDeps,
  type ReadCode,
} from '../enroll/certificates.ts'
import { ensureConfig } from '../enroll/config-file.ts'
import { readOrder, type EnrollOptions } from '../enroll/order.ts'
import { preflight } from '../enroll/preflight.ts'
import { register } from '../enroll/register.ts'
import { printJson } from '../output.ts'
import { readText } from '../read-text.ts'

/** Kinds that sign messages as well (protocol/README.md §5.2). */
const KEY_KINDS = ['P-256', 'RSA-2048', 'RSA-3072', 'RSA-4096']

/** `spean enroll`: a new gateway gets keys, certificates, a configuration and its place in the catalogue. */
export function addEnrollCommand(program: Command): void {
  program
    .command('enroll')
    .description(
      'makes the keys of a gateway, gets its certificates with a one-time code, registers it; run again, it goes on',
    )
    .requiredOption('--authority <url>', 'enrolment address of the authority, https://HOST:5582')
    .requiredOption('--anchor <file>', 'anchor of the instance, from its operator')
    .requiredOption('--gateway <id>', 'INSTANCE/CLASS/MEMBER/GATEWAY')
    .requiredOption('--address <url>', 'where other gateways reach it, https://HOST:5500')
    .option('--client <subsystem...>', 'subsystems of the member that it speaks for', [])
    .option(
      '--name <host...>',
      'DNS names and addresses in its certificate; else that of --address',
      [],
    )
    .option('--code-file <file>', 'one-time code; else SPEAN_ENROLMENT_CODE, else asked for')
    .addOption(new Option('--key-kind <kind>', 'of both keys').choices(KEY_KINDS).default('P-256'))
    .option('--dir <folder>', 'where keys, certificates and configuration go', '.')
    .option(
      '--replace',
      'new keys and certificates, though there are some: of a gateway whose own are revoked',
    )
    .option('--wait <minutes>', 'for the operator to approve', readMinutes, 60)
    .action(async (options: EnrollOptions, command: Command) => {
      const { json = false } = command.optsWithGlobals<{ json?: boolean }>()
      const report = (line: string): void => (json ? console.error(line) : console.log(line))
      const order = readOrder(
        { ...options, dir: resolve(options.dir) },
        readAnchor(resolve(options.anchor)),
      )
      await using est = createEstClient({ ...order.anchor, url: order.authority })
      await preflight(order, est, report)
      if (options.replace) putAside(order, report)
      const deps: EnrollDeps = {
        est,
        report,
        readCode: codeReader(options),
        passphrase: readPassphrase({ env: 'SPEAN_GATEWAY_PASSPHRASE' }),
      }
      const certificates = await ensureBothEnrolled(order, deps)
      const config = ensureConfig(order, report)
      const { snapshotNumber } = await register(order, certificates, report)
      if (json) printJson({ gateway: order.gateway, config, snapshotNumber })
      else console.log(`\nstart it:  node gateway/main.ts ${config}`)
    })
}

/** The code never stands in an argument: others see those. It is asked for once. */
function codeReader({ codeFile }: EnrollOptions): ReadCode {
  let code: Promise<string> | undefined
  return () => (code ??= readCode(codeFile))
}

async function readCode(file: string | undefined): Promise<string> {
  const text = file === undefined ? process.env.SPEAN_ENROLMENT_CODE : readText(file)
  const code = (text ?? (await askForCode())).trim()
  if (code === '') throw new ConfigError('the one-time code is empty')
  return code
}

async function askForCode(): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await lines.question('one-time code from the operator: ')
  } finally {
    lines.close()
  }
}

function readMinutes(text: string): number {
  const minutes = Number(text)
  if (/^\d+$/.test(text) && minutes <= 10_080) return minutes
  throw new InvalidArgumentError('minutes are a number from 0 to 10080')
}
