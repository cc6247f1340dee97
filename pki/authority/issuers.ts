import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../../runtime/config.ts'
import { writeFileAtomically } from '../../runtime/private-file.ts'
import { CertificateError, parseCertificate, type Certificate } from '../certificate.ts'
import { encodeName } from '../distinguished-name.ts'
import type { CertificateKind } from '../identity.ts'
import { issueCertificate, type Issuer } from '../issue.ts'
import { OID } from '../oids.ts'
import { PROFILES } from '../profiles.ts'
import type { SigningKey } from '../signing-key.ts'
import type { AuthorityKeys } from './authority-keys.ts'

/** The two authorities that issue leaves: a fault or a misuse of one leaves the other's certificates alone. */
export type IssuingName = 'authentication' | 'signing'
export type IssuerName = 'root' | IssuingName

export const ISSUING_NAMES: readonly IssuingName[] = ['authentication', 'signing']
export const ISSUER_NAMES: readonly IssuerName[] = ['root', ...ISSUING_NAMES]

export interface Issuers {
  readonly root: Certificate
  readonly authentication: Issuer
  readonly signing: Issuer
}

/** Which authority issues certificates of a kind. */
export function issuerOf(kind: CertificateKind | 'time-stamping'): IssuingName {
  return PROFILES[kind].issuedBy
}

/** DER of a subject that names a part of the authority itself; it is no member's identity. */
export function authorityName(instance: string, part: string): Buffer {
  return encodeName([
    { type: OID.organizationName, value: instance },
    { type: OID.commonName, value: part },
  ])
}

export interface CeremonyOptions {
  readonly keys: AuthorityKeys
  readonly instance: string
  readonly at: Date
  /** Where the root's revocation list and certificate will be served. */
  readonly addresses: () => { readonly crlUrl: string; readonly caIssuersUrl: string }
}

/**
 * Root and issuing authorities of the instance, made at the first start. Once both issuing certificates are
 * there, the key of the root is not opened here any more: it may be moved to a safe.
 *
 * @throws ConfigError when a file is missing, broken, or belongs to another one's key.
 */
export async function openIssuers(options: CeremonyOptions): Promise<Issuers> {
  const { keys, instance, at, addresses } = options
  const { stateDir } = keys
  refuseOlderLayout(stateDir)
  const pemFile = (part: IssuerName): string => join(stateDir, `${part}.pem`)
  const isBegun = ISSUING_NAMES.some((part) => existsSync(pemFile(part)))
  if (isBegun && !existsSync(pemFile('root'))) {
    throw new ConfigError(`${pemFile('root')}: is missing; restore it from the backup`)
  }
  const missing = ISSUING_NAMES.filter((part) => !existsSync(pemFile(part)))
  if (missing.length > 0) {
    const rootKey = await openRootKey(keys)
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
    for (const part of missing) {
      const { publicKey } = await keys.open(part)
      const issuing = await issueCertificate({
        profile: 'issuing-authority',
        subject: authorityName(instance, `${instance} ${part} authority`),
        publicKey,
        issuer: { certificate, key: rootKey },
        at,
        ...addresses(),
      })
      writeFileAtomically(pemFile(part), issuing.pem)
    }
  }
  return {
    root: readCertificateFile(pemFile('root')),
    authentication: await openIssuer(keys, 'authentication'),
    signing: await openIssuer(keys, 'signing'),
  }
}

/**
 * The root's key, made when there is neither it nor a certificate of it: a certificate whose key is gone must
 * stop the start, because a new key would begin a second authority under the same name.
 *
 * @throws ConfigError
 */
export async function openRootKey(keys: AuthorityKeys): Promise<SigningKey> {
  return (await openKeyOf(keys, 'root')).key
}

async function openIssuer(keys: AuthorityKeys, part: IssuingName): Promise<Issuer> {
  const { certificate, key } = await openKeyOf(keys, part)
  if (certificate === undefined) throw new ConfigError(`${part}.pem: is missing`)
  return { certificate, key }
}

async function openKeyOf(
  keys: AuthorityKeys,
  part: IssuerName,
): Promise<{ key: SigningKey; certificate?: Certificate }> {
  const pemFile = join(keys.stateDir, `${part}.pem`)
  if (!existsSync(pemFile)) return { key: await keys.open(part) }
  const reference = keys.reference(part)
  if (!keys.isPresent(part)) {
    throw new ConfigError(`${reference}: is missing beside ${part}.pem; bring it back`)
  }
  const certificate = readCertificateFile(pemFile)
  const key = await keys.open(part)
  if (!certificate.publicKey.equals(key.publicKey)) {
    throw new ConfigError(`${reference}: is not the key of ${part}.pem`)
  }
  return { key, certificate }
}

function refuseOlderLayout(stateDir: string): void {
  const older = join(stateDir, 'issuing.pem')
  if (!existsSync(older)) return
  throw new ConfigError(
    `${older}: this folder holds an authority with one issuing certificate, which this version does not run. ` +
      'Name another stateDir and have all certificates issued anew; for the sandbox: npm start -- --fresh',
  )
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
