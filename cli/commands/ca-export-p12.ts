import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { CertificateError, parseCertificates, type Certificate } from '../../pki/certificate.ts'
import { readKeyFile, readPassphrase } from '../../pki/keys.ts'
import { createPkcs12 } from '../../pki/pkcs12.ts'
import { ConfigError } from '../../runtime/config.ts'
import { writePrivateFile } from '../../runtime/private-file.ts'
import { printJson, printRecord } from '../output.ts'

interface ExportOptions {
  readonly key: string
  readonly keyPassphraseFile?: string
  readonly certificate: string
  readonly chain?: string
  readonly out: string
  readonly name?: string
  readonly passwordFile?: string
  readonly force?: boolean
}

/** `spean ca export-p12`: works on files alone, and asks no program. */
export function addExportP12Command(ca: Command): void {
  ca.command('export-p12')
    .description('a key and its certificate as a PKCS#12 file, for Java, Windows and others')
    .requiredOption('--key <file>', 'private key, PEM')
    .option('--key-passphrase-file <file>', 'of an encrypted key; else SPEAN_KEY_PASSPHRASE')
    .requiredOption('--certificate <file>', 'its certificate, PEM; others in the file follow it')
    .option('--chain <file>', 'certificates between it and the root, PEM')
    .requiredOption('--out <file>', 'PKCS#12 file to write')
    .option('--name <text>', 'what key stores show; else the subject of the certificate')
    .option(
      '--password-file <file>',
      'password of the new file; else SPEAN_P12_PASSWORD, else a random one in FILE.password',
    )
    .option('--force', 'replace files that are there')
    .action((options: ExportOptions, command: Command) => {
      const report = exportP12(options, new Date())
      if (command.optsWithGlobals<{ json?: boolean }>().json) printJson(report)
      else printRecord(report)
    })
}

function exportP12(options: ExportOptions, now: Date): Record<string, unknown> {
  const { out } = options
  const passphrase = readPassphrase({
    file: options.keyPassphraseFile,
    env: 'SPEAN_KEY_PASSPHRASE',
  })
  const { privateKey, publicKey } = readKeyFile(options.key, { passphrase })
  const [certificate, ...following] = readCertificates(options.certificate)
  if (!certificate.publicKey.equals(publicKey)) {
    throw new ConfigError(
      `${options.certificate}: is not the certificate of the key in ${options.key}`,
    )
  }
  const others = options.chain === undefined ? [] : readCertificates(options.chain)
  const chain = [...new Set([...following, ...others])].filter((other) => other !== certificate)
  warn(certificate, chain, now)

  const given = readPassphrase({ file: options.passwordFile, env: 'SPEAN_P12_PASSWORD' })
  const passwordFile = given === undefined ? `${out}.password` : undefined
  for (const file of [out, passwordFile]) {
    if (file === undefined || options.force || !existsSync(file)) continue
    throw new ConfigError(`${file}: is there already; name another file, or add --force`)
  }
  const password = given ?? randomBytes(18).toString('base64url')
  const friendlyName = options.name ?? certificate.subject
  const p12 = createPkcs12({ privateKey, certificate, chain, password, friendlyName })
  if (passwordFile !== undefined) writePrivateFile(passwordFile, `${password}\n`)
  writePrivateFile(out, p12)
  return { file: out, passwordFile, name: friendlyName, certificates: 1 + chain.length }
}

/** Certificates that are read twice are the same object: parseCertificate remembers them. */
function readCertificates(file: string): [Certificate, ...Certificate[]] {
  let found: Certificate[]
  try {
    found = parseCertificates(readFileSync(file, 'utf8'))
  } catch (cause) {
    const isKnown = cause instanceof CertificateError
    const why = isKnown ? cause.message : String((cause as NodeJS.ErrnoException).code)
    throw new ConfigError(`${file}: cannot be read (${why})`, { cause })
  }
  const [first, ...rest] = found
  if (first === undefined) throw new ConfigError(`${file}: holds no certificate in PEM form`)
  return [first, ...rest]
}

/** What makes no wrong file, but perhaps not the one that was wanted. */
function warn(certificate: Certificate, chain: readonly Certificate[], now: Date): void {
  const { notBefore, notAfter, subject } = certificate
  if (now > notAfter) {
    console.error(`warning: ${subject} expired at ${notAfter.toISOString()}; renew it first`)
  } else if (now < notBefore) {
    console.error(`warning: ${subject} is not valid before ${notBefore.toISOString()}`)
  }
  const isIssuerThere = chain.some(({ subjectDer }) => subjectDer.equals(certificate.issuerDer))
  if (!isIssuerThere) {
    console.error(
      `warning: its issuer ${certificate.issuer} is not in the file; add --chain if servers must see it`,
    )
  }
}
