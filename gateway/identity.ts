import { algorithmOf } from '../protocol/jws.ts'
import { ExchangeError } from '../protocol/errors.ts'
import { parseCertificate, type Certificate } from '../pki/certificate.ts'
import { openKeyFile } from '../pki/keys.ts'
import { ConfigError } from '../runtime/config.ts'
import { readPem, type GatewayConfig } from './config.ts'
import { namesAnother } from './own-certificates.ts'
import type { SigningKey } from './signer.ts'

/** A gateway's own keys and certificates, checked against each other, and against its configuration as far as can be before a snapshot. */
export interface Identity {
  /** Certificate and those behind it, and key, PEM. */
  readonly tlsCertificate: string
  readonly tlsKey: string
  readonly certificate: Certificate
  readonly signing: SigningKey[]
}

type Files = GatewayConfig['authentication']

/** @throws ConfigError when a file cannot be read, or says something else than the configuration. */
export function readIdentity({ gatewayId, authentication, signing }: GatewayConfig): Identity {
  const own = readPair(authentication)
  if (namesAnother(own.certificate, gatewayId))
    throw foreign(authentication, own.certificate, gatewayId)
  return {
    tlsCertificate: readPem(authentication.certificateFile),
    tlsKey: own.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    certificate: own.certificate,
    signing: signing.map((files) => ({ member: files.member, ...readSigningPair(files) })),
  }
}

function readSigningPair(files: GatewayConfig['signing'][number]): Omit<SigningKey, 'member'> {
  const pair = readPair(files)
  if (namesAnother(pair.certificate, files.member))
    throw foreign(files, pair.certificate, files.member)
  try {
    algorithmOf(pair.privateKey)
  } catch (cause) {
    if (!(cause instanceof ExchangeError)) throw cause
    const kinds = 'P-256, RSA or Ed25519'
    throw new ConfigError(`${files.keyFile}: a signing key is of the kind ${kinds}`, { cause })
  }
  return pair
}

function readPair({ keyFile, certificateFile }: Files): Omit<SigningKey, 'member'> {
  const { privateKey, publicKey } = openKeyFile(keyFile)
  const certificate = firstCertificate(readPem(certificateFile), certificateFile)
  if (!certificate.publicKey.equals(publicKey)) {
    throw new ConfigError(`${certificateFile}: is not the certificate of the key in ${keyFile}`)
  }
  return { privateKey, certificate }
}

function firstCertificate(pem: string, file: string): Certificate {
  const end = '-----END CERTIFICATE-----'
  const until = pem.indexOf(end)
  if (until < 0) throw new ConfigError(`${file}: holds no PEM certificate`)
  return parseCertificate(pem.slice(0, until + end.length))
}

function foreign(
  { certificateFile }: Files,
  { subject }: Certificate,
  wanted: string,
): ConfigError {
  return new ConfigError(`${certificateFile}: is the certificate of ${subject}, not of ${wanted}`)
}
