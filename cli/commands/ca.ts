import type { Command } from 'commander'
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { profileOf, show } from '../context.ts'
import { printRecord, printTable } from '../output.ts'
import { addExportP12Command } from './ca-export-p12.ts'
import { addCaCodeCommands } from './ca-code.ts'
import { addCaIssueCommand } from './ca-issue.ts'
import { addCaRequestCommands } from './ca-request.ts'

type Row = Record<string, unknown>

/** Of RFC 5280 §5.3.1, those that the authority takes. */
const REASONS = [
  'unspecified',
  'keyCompromise',
  'affiliationChanged',
  'superseded',
  'cessationOfOperation',
  'privilegeWithdrawn',
]

/** `spean ca`: what the operator of the authority does. */
export function addCaCommands(program: Command): void {
  const ca = program.command('ca').description('the authority: certificates, revocation, enrolment')
  addStatus(ca)
  addList(ca)
  addShow(ca)
  addCaIssueCommand(ca)
  addRevoke(ca)
  addRevocationLists(ca)
  addCaCodeCommands(ca)
  addCaRequestCommands(ca)
  addJournal(ca)
  addExportP12Command(ca)
}

function addStatus(ca: Command): void {
  ca.command('status')
    .description('how the authority is; exit code 1 when something is to be done')
    .action(async (_options: object, own: Command) => {
      const ask = (api: ApiClient) => api.call<Row & { warnings: string[] }>('GET', '/admin/status')
      await show(own, profileOf(own).authority(), ask, ({ warnings, ...status }) => {
        printRecord(status)
        for (const warning of warnings) console.log(`warning: ${warning}`)
        if (warnings.length > 0) process.exitCode = 1
      })
    })
}

function addList(ca: Command): void {
  ca.command('list')
    .description('certificates, in the order of issue')
    .option('--kind <kind>', 'authentication, signing, information-system, server, …')
    .option('--state <state>', 'valid, expired or revoked')
    .option('--expiring <days>', 'those that end within so many days')
    .action(async (options: Record<string, string>, own: Command) => {
      const query = new URLSearchParams(options).toString()
      const ask = (api: ApiClient) =>
        api.call<{ certificates: Row[] }>('GET', `/admin/certificates?${query}`)
      await show(own, profileOf(own).authority(), ask, ({ certificates }) => {
        printTable(
          ['SERIAL', 'KIND', 'STATE', 'UNTIL', 'SUBJECT'],
          certificates.map((c) => [c.serial, c.kind, c.state, c.notAfter, c.subject]),
        )
      })
    })
}

function addShow(ca: Command): void {
  ca.command('show <serial>')
    .description('one certificate, and what is known of it')
    .action(async (serial: string, _options: object, own: Command) => {
      const ask = (api: ApiClient) => api.call<Row>('GET', apiPath('/admin/certificates', serial))
      await show(own, profileOf(own).authority(), ask, ({ certificate, ...rest }) => {
        printRecord(rest)
        process.stdout.write(String(certificate))
      })
    })
}

function addRevoke(ca: Command): void {
  ca.command('revoke')
    .description('revokes a certificate for good; asks nothing')
    .requiredOption('--serial <serial>', 'its serial number, as spean ca list has it')
    .requiredOption('--reason <reason>', `one of ${REASONS.join(', ')}`)
    .action(async ({ serial, reason }: { serial: string; reason: string }, own: Command) => {
      const path = `${apiPath('/admin/certificates', serial)}/revoke`
      const ask = async (api: ApiClient): Promise<Row & { inForce: string[] }> => {
        const revoked = await api.call<Row>('POST', path, { reason })
        return { ...revoked, inForce: await othersInForce(api, revoked) }
      }
      await show(own, profileOf(own).authority(), ask, ({ inForce, ...revoked }) => {
        const { subject, kind, revokedAt, reason: recorded, nextListAt } = revoked
        console.log(`revoked ${kind as string} certificate ${revoked.serial as string}`)
        printRecord({ subject, revokedAt, reason: recorded })
        console.log('OCSP answers say so at once; gateways ask again when theirs is due.')
        console.log(
          `The revocation list says so by ${nextListAt as string}: spean ca crl issues it now.`,
        )
        if (inForce.length === 0) return
        console.log(
          `Still in force for the same subject, because certificates are renewed with overlap: ${inForce.join(', ')}.`,
        )
        console.log('Whoever is to be shut out has these revoked as well.')
      })
    })
}

/** A renewed certificate is not revoked with the one it replaces. */
async function othersInForce(api: ApiClient, { subject, serial }: Row): Promise<string[]> {
  const path = '/admin/certificates?state=valid'
  const { certificates } = await api.call<{ certificates: Row[] }>('GET', path)
  return certificates
    .filter((other) => other.subject === subject && other.serial !== serial)
    .map((other) => other.serial as string)
}

function addRevocationLists(ca: Command): void {
  ca.command('crl')
    .description('issues the revocation lists of both issuing authorities now')
    .action(async (_options: object, own: Command) => {
      const ask = (api: ApiClient) =>
        api.call<{ revocationLists: Row[] }>('POST', '/admin/revocation-lists')
      await show(own, profileOf(own).authority(), ask, ({ revocationLists }) => {
        printTable(
          ['AUTHORITY', 'NUMBER', 'ISSUED', 'UNTIL'],
          revocationLists.map((l) => [l.issuer, l.number, l.thisUpdate, l.nextUpdate]),
        )
      })
    })
}

function addJournal(ca: Command): void {
  ca.command('journal')
    .description('what the authority did and refused, oldest first')
    .option('--after <position>', 'those behind the last line of the page before', '0')
    .option('--limit <n>', 'at most this many', '100')
    .action(async (options: Record<string, string>, own: Command) => {
      const query = new URLSearchParams(options).toString()
      const ask = (api: ApiClient) =>
        api.call<{ entries: Row[]; next?: number }>('GET', `/admin/journal?${query}`)
      await show(own, profileOf(own).authority(), ask, ({ entries, next }) => {
        printTable(
          ['POSITION', 'TIME', 'ACTION', 'SUBJECT', 'CODE', 'FROM', 'DETAIL'],
          entries.map((e) => [
            ...[e.position, e.at, e.action, e.subject, e.code, e.remoteAddress, e.detail],
          ]),
        )
        if (next !== undefined) console.log(`more: --after ${next}`)
      })
    })
}
