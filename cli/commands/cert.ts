import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { CertificateError } from '../../pki/certificate.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { anchorsAfter } from '../../protocol/anchor-statement.ts'
import { verifySnapshot, type Anchor, type Snapshot } from '../../protocol/snapshot.ts'
import { ApiError, createApiClient, type ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { approvedBy, approvedByFile, NOBODY, type Approved } from '../cert-explain/approved.ts'
import { explainFile, explainServer } from '../cert-explain/explain.ts'
import { printExplanation } from '../cert-explain/print.ts'
import { printJson } from '../output.ts'
import { openProfile, type OpenProfile } from '../profile.ts'
import { readText } from '../read-text.ts'

interface Options {
  readonly ca?: string
  readonly anchor?: string
  readonly at?: string
  readonly serverName?: string
  readonly cert?: string
  readonly key?: string
  readonly profile?: string
  readonly json?: boolean
}

/** `spean cert explain`: what a certificate is, and what is wrong with it. */
export function addCertCommands(program: Command): void {
  program
    .command('cert')
    .description('looks at certificates, keys and TLS servers')
    .command('explain <file-or-server>')
    .description(
      'what a FILE (certificate, chain, request, CRL, PKCS#7, key, OCSP answer, time-stamp) or a TLS server (HOST:PORT) is, whose, in what state, and what is wrong; exit code 1 when something is',
    )
    .option('--ca <file>', 'PEM certificates to believe, in place of what the profile names')
    .option('--anchor <file>', 'the anchor of an instance: asks its catalogue, without a profile')
    .option('--at <time>', 'as of this time (2026-01-31T08:00:00Z); revocation is always as of now')
    .option('--server-name <name>', 'asks a server for this name (SNI), when it is not the host')
    .option('--cert <file>', 'PEM certificate to show to a server that asks for one')
    .option('--key <file>', 'PEM key of --cert')
    .action(async (target: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<Options>()
      const { approved, note } = await findApproved(options)
      const context = { approved, at: readTime(options.at) }
      const server = existsSync(target)
        ? undefined
        : /^(\[[\da-f:.]+\]|[^:/\\]+):(\d{1,5})$/i.exec(target)
      const found = server
        ? await explainServer(serverTarget(server[1]!, server[2]!, options), context)
        : await explainFile(target, context)
      const explanation = { ...found, unknown: [...found.unknown, ...note] }
      if (options.json) printJson(explanation)
      else printExplanation(explanation)
      if (!explanation.good) process.exitCode = 1
    })
}

function serverTarget(host: string, port: string, { serverName, cert, key }: Options) {
  if (Number(port) > 65_535 || Number(port) === 0) throw new ConfigError(`${port} is no port`)
  if ((cert === undefined) !== (key === undefined))
    throw new ConfigError('--cert and --key go together')
  return {
    host: host.replace(/^\[|\]$/g, ''),
    port: Number(port),
    ...(serverName === undefined ? {} : { serverName }),
    ...(cert === undefined || key === undefined
      ? {}
      : { cert: readText(cert), key: readText(key) }),
  }
}

interface Found {
  readonly approved: Approved
  /** What keeps more from being known. */
  readonly note: string[]
}

async function findApproved({ ca, anchor, profile }: Options): Promise<Found> {
  if (ca !== undefined) return { approved: byFile(ca), note: [] }
  if (anchor !== undefined) return { approved: await byAnchor(anchor), note: [] }
  let open: OpenProfile
  try {
    open = openProfile(profile)
  } catch (error) {
    // Named and not there is a mistake; without one there are fewer facts.
    const isNamed = profile !== undefined || process.env.SPEAN_PROFILE !== undefined
    if (!(error instanceof ConfigError) || isNamed) throw error
    return { approved: NOBODY, note: [] }
  }
  if (!open.hasCatalogue) return { approved: byFile(open.caFile), note: [] }
  try {
    // Over HTTPS that leads to the profile's own root: who speaks is the catalogue.
    const snapshot = await askSnapshot(open.catalogue(), decodePayload)
    return { approved: approvedBy(snapshot, open.catalogueUrl ?? ''), note: [] }
  } catch (error) {
    if (!(error instanceof ApiError || error instanceof ExchangeError)) throw error
    return { approved: byFile(open.caFile), note: [`What the catalogue says: ${error.message}.`] }
  }
}

async function askSnapshot(
  client: ApiClient,
  read: (jws: string) => Snapshot | Promise<Snapshot>,
): Promise<Snapshot> {
  await using api = client
  return await read(String(await api.call<unknown>('GET', '/snapshot')))
}

function decodePayload(jws: string): Snapshot {
  const [, payload = ''] = jws.split('.')
  try {
    return JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as Snapshot
  } catch (cause) {
    throw new ApiError('the answer of the catalogue is no snapshot', { cause })
  }
}

async function byAnchor(file: string): Promise<Approved> {
  let anchor: Anchor
  try {
    anchor = JSON.parse(readText(file)) as Anchor
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause
    throw new ConfigError(`${file}: is no anchor (${(cause as Error).message})`, { cause })
  }
  const { catalogueUrl, rootCertificates } = anchor
  if (typeof catalogueUrl !== 'string' || !Array.isArray(rootCertificates)) {
    throw new ConfigError(`${file}: is no anchor; it is anchor.json of the catalogue`)
  }
  const client = createApiClient({ url: catalogueUrl, ca: rootCertificates.join('\n') })
  const read = async (jws: string) => verifySnapshot(jws, await newestAnchor(client, anchor))
  return approvedBy(await askSnapshot(client, read), catalogueUrl)
}

/** The catalogue's keys may have rotated since the file was given (protocol/README.md §7.10). */
async function newestAnchor(client: ApiClient, given: Anchor): Promise<Anchor> {
  const none = ['admin.not-found', 'request.route-unknown']
  const get = (number: number): Promise<string | undefined> =>
    client.call<unknown>('GET', `/anchors/${number}`).then(
      (statement) => JSON.stringify(statement),
      (error: unknown) => {
        if (error instanceof ExchangeError && none.includes(error.code)) return undefined
        throw error
      },
    )
  let newest = given
  for await (const next of anchorsAfter(given, get)) newest = next
  return newest
}

function byFile(file: string): Approved {
  try {
    const approved = approvedByFile(readText(file), file)
    if (approved.authorities.length > 0) return approved
    throw new ConfigError(`${file}: holds no root (a certificate signed by itself) in PEM form`)
  } catch (cause) {
    if (!(cause instanceof CertificateError)) throw cause
    throw new ConfigError(`${file}: ${cause.message}`, { cause })
  }
}

function readTime(text: string | undefined): Date {
  const at = text === undefined ? new Date() : new Date(text)
  if (!Number.isNaN(at.getTime())) return at
  throw new ConfigError(`${text}: write a time as 2026-01-31T08:00:00Z`)
}
