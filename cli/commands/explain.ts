import { Option, type Command } from 'commander'
import type { ExplainedCheck } from '../../protocol/explanation.ts'
import { MOVE_WORDS, type Basis } from '../../protocol/refusal.ts'
import { ConfigError } from '../../runtime/config.ts'
import { fullId, isJson, profileOf } from '../context.ts'
import { printJson, printLine } from '../output.ts'

interface Explanation {
  readonly verdict: 'may' | 'may-not' | 'unknown'
  readonly at: string
  readonly provider?: { readonly gateway: string; readonly snapshot?: number }
  readonly checks: readonly ExplainedCheck[]
}
interface Options {
  readonly gateway?: string
  readonly purpose?: string
  readonly user?: string
  readonly case?: string
  readonly contract?: string
  readonly securityServer?: string
  readonly size?: number
  readonly type?: string
  readonly token?: boolean
  readonly provider: boolean
}

const MARKS = { passes: '✓', refuses: '✗', 'not-judged': '·' } as const

/** `spean explain`: whether a client may make a call now, step by step, without making it (protocol/README.md §15). */
export function addExplainCommand(program: Command): void {
  program
    .command('explain <client> <method> <path>')
    .description('whether a client may make a call now, check by check, without making it')
    .option('--purpose <text>', 'as in Spean-Purpose')
    .option('--user <id>', 'as in X-Road-UserId')
    .option('--case <number>', 'as in X-Road-Issue')
    .option(
      '--contract <digest>',
      'the contract to go by; else the one that the gateway would choose',
    )
    .addOption(
      new Option('--size <bytes>', 'of the body; else nothing about it is judged').argParser(
        readSize,
      ),
    )
    .option('--security-server <id>', 'the gateway of the provider, as in X-Road-Security-Server')
    .option('--type <media type>', 'of the body')
    .option('--token', 'a signed token of the user would be there')
    .option('--no-provider', "ask the client's gateway alone")
    .option('-g, --gateway <name>', "the client's gateway of the profile; else SPEAN_GATEWAY")
    .action(
      async (client: string, method: string, target: string, options: Options, own: Command) => {
        const profile = profileOf(own)
        await using api = profile.gateway(options.gateway)
        const explanation = await api.call<Explanation>('POST', '/admin/explain', {
          client: fullId(client, profile.instance),
          method: method.toUpperCase(),
          target,
          purpose: options.purpose,
          userId: options.user,
          issue: options.case,
          contract: options.contract,
          securityServer:
            options.securityServer && fullId(options.securityServer, profile.instance),
          bodySize: options.size,
          contentType: options.type,
          hasToken: options.token === true,
          withProvider: options.provider,
        })
        if (isJson(own)) printJson(explanation)
        else printExplanation(explanation)
        const isEnough =
          explanation.verdict === 'may' || (!options.provider && !hasRefusal(explanation))
        if (!isEnough) process.exitCode = 1
      },
    )
}

const hasRefusal = ({ checks }: Explanation): boolean =>
  checks.some(({ outcome }) => outcome === 'refuses')

function printExplanation({ verdict, provider, checks }: Explanation): void {
  let heading = ''
  const told = new Set<string>()
  for (const check of checks) {
    const { side, step } = check
    const whose = side === 'client' ? "client's gateway" : "provider's gateway"
    if (heading !== `${whose}: ${step}`) printLine((heading = `${whose}: ${step}`))
    const reason = `${check.code}: ${check.detail}`
    if (check.outcome === 'refuses' && told.has(reason)) {
      printLine(`  ${MARKS.refuses} ${check.check}: ${check.code}, as above`)
    } else printCheck(check)
    if (check.outcome === 'refuses') told.add(reason)
  }
  const reasons = told.size === 1 ? 'for one reason' : `for ${told.size} reasons`
  const words = {
    may: 'The call may be made now.',
    'may-not': `The call may not be made now, ${reasons}; the call itself would be told of the first.`,
    unknown: 'Nothing refuses so far, but the gateway of the provider was not heard.',
  }
  printLine(`\n${words[verdict]}`)
  if (provider) {
    const by = provider.snapshot === undefined ? '' : ` by snapshot ${provider.snapshot}`
    printLine(`Heard for the provider: ${provider.gateway}${by}.`)
  }
}

function printCheck({
  outcome,
  check,
  code,
  detail,
  basis,
  move,
  remedy,
  retryAfter,
}: ExplainedCheck): void {
  if (outcome !== 'refuses') {
    printLine(`  ${MARKS[outcome]} ${check}${detail === undefined ? '' : `: ${detail}`}`)
    return
  }
  printLine(`  ${MARKS[outcome]} ${check}: ${code}`)
  if (detail !== undefined) printLine(`      ${detail}`)
  if (basis) printLine(`      by ${basisText(basis)}`)
  if (remedy !== undefined) printLine(`      ${remedy}`)
  const after = retryAfter === undefined ? '' : `, after ${retryAfter} s`
  if (move) printLine(`      to act: ${MOVE_WORDS[move]}${after}`)
}

function basisText({ snapshot, contract, contractId, clause, grant }: Basis): string {
  const named = contractId ?? contract
  return [
    ...(snapshot === undefined ? [] : [`snapshot ${snapshot}`]),
    ...(named === undefined ? [] : [`contract ${named}`]),
    ...(clause === undefined ? [] : [`clause ${clause}`]),
    ...(grant === undefined ? [] : [`grant ${grant}`]),
  ].join(', ')
}

function readSize(text: string): number {
  const size = Number(text)
  if (Number.isSafeInteger(size) && size >= 0 && text.trim() !== '') return size
  throw new ConfigError(`--size ${text}: write a number of bytes`)
}
