import { existsSync } from 'node:fs'
import type { Command } from 'commander'
import { createCsr } from '../../pki/csr.ts'
import { generateKey, KEY_KINDS, type KeyKind } from '../../pki/keys.ts'
import type { ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import { writeFileAtomically, writePrivateFile } from '../../runtime/private-file.ts'
import { profileOf, show } from '../context.ts'
import { printRecord } from '../output.ts'
import { ORDER_KINDS, readIdentity, readKind, type LocalIdentity } from './ca-order.ts'
import { readText } from '../read-text.ts'

interface IssueOptions {
  readonly csr?: string
  readonly keyOut?: string
  readonly keyKind: string
  readonly name?: string[]
  readonly days?: string
  readonly enrolment?: string
  readonly out?: string
}

/** `spean ca issue`: a certificate at once, for a request that the operator vouches for. */
export function addCaIssueCommand(ca: Command): void {
  ca.command('issue <kind> <identity>')
    .description(
      `issues a certificate now; kinds: ${ORDER_KINDS.join(', ')}. ` +
        'The key is in a request that was made elsewhere, or is made here',
    )
    .option('--csr <file>', 'PKCS#10 request, PEM')
    .option('--key-out <file>', 'make a key, and write it here')
    .option('--key-kind <kind>', `of the key that is made: ${KEY_KINDS.join(', ')}`, 'P-256')
    .option('--name <name...>', 'DNS names and addresses under which a server is reached')
    .option('--days <n>', 'a shorter life than usual')
    .option('--enrolment <name>', 'certificates of one enrolment may renew each other: a gateway')
    .option('--out <file>', 'certificate and that of its issuer, PEM; else standard output')
    .action(async (kindText: string, idText: string, options: IssueOptions, own: Command) => {
      const profile = profileOf(own)
      const { instance } = profile
      const { days, out, name: subjectAltNames, enrolment } = options
      const kind = readKind(kindText)
      const identity = readIdentity(kind, idText, instance)
      const body = {
        kind,
        identity,
        csr: await requestOf({ instance, ...identity }, options),
        ...(subjectAltNames === undefined ? {} : { subjectAltNames }),
        ...(days === undefined ? {} : { validityDays: Number(days) }),
        ...(enrolment === undefined ? {} : { enrolment }),
      }
      const ask = (api: ApiClient) =>
        api.call<{ certificate: string; chain: string; serial: string }>(
          'POST',
          '/admin/certificates',
          body,
        )
      await show(own, profile.authority(), ask, ({ certificate, chain, serial }) => {
        // A server sends its own certificate and those between it and the root (RFC 8446 §4.4.2).
        const [issuer = ''] = /-----BEGIN[^]*?-----END CERTIFICATE-----\n/.exec(chain) ?? []
        if (out === undefined) process.stdout.write(certificate + issuer)
        else {
          writeFileAtomically(out, certificate + issuer)
          printRecord({ serial, certificate: out, key: options.keyOut })
        }
      })
    })
}

async function requestOf(
  identity: LocalIdentity & { readonly instance: string },
  { csr, keyOut, keyKind, name: subjectAltNames = [] }: IssueOptions,
): Promise<string> {
  if ((csr === undefined) === (keyOut === undefined)) {
    throw new ConfigError('name a request (--csr FILE), or have a key made (--key-out FILE)')
  }
  if (csr !== undefined) return readText(csr)
  if (!KEY_KINDS.includes(keyKind as KeyKind)) {
    throw new ConfigError(`${keyKind}: is none of ${KEY_KINDS.join(', ')}`)
  }
  if (existsSync(keyOut!)) throw new ConfigError(`${keyOut}: is there already; name another file`)
  const key = await generateKey(keyKind as KeyKind)
  writePrivateFile(keyOut!, key.privateKey.export({ type: 'pkcs8', format: 'pem' }))
  return (await createCsr({ identity, key, subjectAltNames })).pem
}
