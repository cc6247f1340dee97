import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../../runtime/config.ts'
import { writeFileAtomically } from '../../runtime/private-file.ts'
import { CertificateError, parseCertificate, type Certificate } from '../certificate.ts'
import { encodeName } from '../distinguished-name.ts'
import { issueCertificate, type Issuer } from '../issue.ts'
import { ensureKeyFile, openKeyFile, type KeyKind, type KeyPair } from '../keys.ts'
import { OID } from '../oids.ts'

export interface Issuers {
  readonly root: Certificate
  readonly issuing: Issuer
}

/** DER of a subject that names a part of the authority itself; it is no member's identity. */
export function authorityName(instance: string, part: string): Buffer {
  return encodeName([
    { type: OID.organizationName, value: instance },
    { type: OID.commonName, value: part },
  ])
}

/** True when the folder holds an authority already. */
export function hasIssuers(stateDir: string): boolean {
  return existsSync(join(stateDir, 'root.pem'))
}

/**
 * Root and issuing authority of the instance, made at the first start. Once `issuing.pem` is there,
 * the key of the root is not opened any more: it may be moved to a safe.
 *
 * @throws ConfigError when a file is missing, broken, or belongs to another one's key.
 */
export async function openIssuers(options: {
  readonly stateDir: string
  readonly instance: string
  readonly keyKind: KeyKind
  readonly at: Date
}): Promise<Issuers> {
  const { stateDir, instance, keyKind, at } = options
  const pemFile = (part: Part): string => join(stateDir, `${part}.pem`)
  if (!existsSync(pemFile('issuing'))) {
    const rootKey = await openKey(stateDir, 'root', keyKind)
    if (!existsSync(pemFile('root'))) {
      const root = await issueCertificate({
        profile: 'root-authority',
        subject: authorityName(instance, `${instance} root authority`),
        publicKey: rootKey.publicKey,
        issuer: { key: rootKey },
        at,
      })
      writeFileAtomically(pemFile('root'), root.pem)
    }
    const certificate = readCertificateFile(pemFile('root'))
    const { publicKey } = await openKey(stateDir, 'issuing', keyKind)
    const issuing = await issueCertificate({
      profile: 'issuing-authority',
      subject: authorityName(instance, `${instance} issuing authority`),
      publicKey,
      issuer: { certificate, key: rootKey },
      at,
    })
    writeFileAtomically(pemFile('issuing'), issuing.pem)
  }
  const key = await openKey(stateDir, 'issuing', keyKind)
  return {
    root: readCertificateFile(pemFile('root')),
    issuing: { certificate: readCertificateFile(pemFile('issuing')), key },
  }
}

type Part = 'root' | 'issuing'

/**
 * The key of a part, made when neither key nor certificate is there: a certificate whose key is gone
 * must stop the start, because a new key would begin a second authority under the same name.
 */
async function openKey(stateDir: string, part: Part, kind: KeyKind): Promise<KeyPair> {
  const pemFile = join(stateDir, `${part}.pem`)
  const keyFile = join(stateDir, `${part}.key`)
  if (!existsSync(pemFile)) return await ensureKeyFile(keyFile, kind)
  const pair = openKeyFile(keyFile)
  if (!readCertificateFile(pemFile).publicKey.equals(pair.publicKey)) {
    throw new ConfigError(`${keyFile}: is not the key of ${part}.pem beside it`)
  }
  return pair
}

/** @throws ConfigError */
export function readCertificateFile(file: string): Certificate {
  try {
    return parseCertificate(readFileSync(file, 'utf8'))
  } catch (cause) {
    const why =
      cause instanceof CertificateError ? cause.message : (cause as NodeJS.ErrnoException).code
    throw new ConfigError(`${file}: cannot be read (${why})`, { cause })
  }
}
