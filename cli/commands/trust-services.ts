import type { Command } from 'commander'
import { CertificateError, parseCertificates } from '../../pki/certificate.ts'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { profileOf, show } from '../context.ts'
import { printRecord, printTable } from '../output.ts'
import { readText } from '../read-text.ts'

type Row = Record<string, unknown>

interface TrustService {
  readonly name: string
  /** In paths of the catalogue. */
  readonly path: string
  /** In its answers. */
  readonly plural: string
  readonly description: string
  readonly columns: readonly [heading: string, text: (row: Row) => unknown][]
}

const AUTHORITY: TrustService = {
  name: 'authority',
  path: '/admin/authorities',
  plural: 'authorities',
  description: 'authorities whose certificates the instance accepts',
  columns: [
    ['NAME', ({ name }) => name],
    ['CERTIFICATES', ({ certificates }) => (certificates as unknown[]).length],
    ['UNTIL', ({ notAfter }) => notAfter],
    ['SUBJECT PROFILE', ({ subjectProfile }) => (subjectProfile ? 'its own' : 'ours')],
    ['OCSP NONCE', ({ ocspNonce }) => ocspNonce],
  ],
}
const TIMESTAMPER: TrustService = {
  name: 'timestamper',
  path: '/admin/time-stamping-authorities',
  plural: 'timeStampingAuthorities',
  description: 'time-stamping authorities, in the order in which gateways try them',
  columns: [
    ['NAME', ({ name }) => name],
    ['URL', ({ url }) => url],
    ['CERTIFICATES', ({ certificates }) => (certificates as unknown[]).length],
    ['UNTIL', ({ notAfter }) => notAfter],
    ['ORDER', ({ order }) => order],
  ],
}

/** `spean authority` and `spean timestamper`: whom the instance believes (docs/foreign-authorities.md). */
export function addTrustServiceCommands(program: Command): void {
  addService(program, AUTHORITY)
    .command('add <name> <file...>')
    .description('approves an authority, or changes it: PEM certificates, the root first')
    .option(
      '--subject-profile <file>',
      'JSON: how it writes identities into subjects; else as ours does',
    )
    .option(
      '--ocsp-nonce <rule>',
      'required, or optional when its responder repeats none',
      'required',
    )
    .action(
      async (
        name: string,
        files: string[],
        { subjectProfile, ocspNonce }: { subjectProfile?: string; ocspNonce: string },
        own: Command,
      ) => {
        await put(own, AUTHORITY, name, {
          certificates: readCertificates(files),
          ...(subjectProfile === undefined ? {} : { subjectProfile: readJson(subjectProfile) }),
          ocspNonce,
        })
      },
    )
  addService(program, TIMESTAMPER)
    .command('add <name> <url> <file...>')
    .description(
      'lets gateways ask a time-stamping authority: PEM of its certificate or of its root',
    )
    .option('--order <number>', 'gateways try the lowest first; else it comes last')
    .action(
      async (
        name: string,
        url: string,
        files: string[],
        { order }: { order?: string },
        own: Command,
      ) => {
        await put(own, TIMESTAMPER, name, {
          url,
          certificates: readCertificates(files),
          ...(order === undefined ? {} : { order: Number(order) }),
        })
      },
    )
}

function addService(program: Command, service: TrustService): Command {
  const { name, path, plural, description, columns } = service
  const command = program.command(name).description(description)
  command
    .command('list')
    .description(`lists ${description}`)
    .action(async (_options: object, own: Command) => {
      const ask = (api: ApiClient) => api.call<Record<string, Row[]>>('GET', path)
      await show(own, profileOf(own).catalogue(), ask, (answer) => {
        printTable(
          columns.map(([heading]) => heading),
          (answer[plural] ?? []).map((row) => columns.map(([, text]) => text(row))),
        )
      })
    })
  command
    .command('remove <name>')
    .description(`takes an entry off the list`)
    .action(async (entry: string, _options: object, own: Command) => {
      await show(
        own,
        profileOf(own).catalogue(),
        (api) => api.call('DELETE', apiPath(path, entry)),
        () => console.log(`removed ${entry}`),
      )
    })
  return command
}

async function put(
  own: Command,
  { path }: TrustService,
  name: string,
  body: object,
): Promise<void> {
  const ask = (api: ApiClient) => api.call<Row>('PUT', apiPath(path, name), body)
  await show(own, profileOf(own).catalogue(), ask, ({ certificates, ...rest }) =>
    printRecord({ ...rest, certificates: (certificates as unknown[]).length }),
  )
}

/** Of all files, in their order. */
function readCertificates(files: readonly string[]): string[] {
  return files.flatMap((file) => {
    try {
      const certificates = parseCertificates(readText(file))
      if (certificates.length > 0) return certificates.map(({ pem }) => pem)
    } catch (cause) {
      if (!(cause instanceof CertificateError)) throw cause
      throw new ConfigError(`${file}: ${cause.message}; see spean cert explain ${file}`, { cause })
    }
    throw new ConfigError(`${file}: holds no PEM certificate; see spean cert explain ${file}`)
  })
}

function readJson(file: string): unknown {
  const text = readText(file)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ConfigError(`${file}: is not JSON (${(cause as Error).message})`, { cause })
  }
}
