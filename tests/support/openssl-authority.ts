/** An authority of a country, made and run by the openssl command alone: of ours is the web server for its list. */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createServer } from 'node:http'
import { promisify } from 'node:util'
import { listen } from '../../runtime/lifecycle.ts'
import { freePort } from './http.ts'

const run = promisify(execFile)

/** What `openssl genpkey` makes. */
export type OpensslKey = 'P-256' | 'P-384' | 'RSA-2048' | 'RSA-3072'
export type OpensslPurpose = 'authentication' | 'signing' | 'information-system' | 'server'

export interface OpensslCertificate {
  /** PEM, with the intermediate behind it. */
  readonly chain: string
  /** PEM, the certificate alone. */
  readonly pem: string
  readonly key: string
  readonly certificateFile: string
  readonly keyFile: string
}
export interface OpensslAuthority extends AsyncDisposable {
  readonly dir: string
  /** PEM, root first. */
  readonly certificates: readonly [root: string, intermediate: string]
  readonly ocspUrl: string
  /** @param subject as `openssl req -subj` takes it; a slash in a value is escaped. */
  issue(
    name: string,
    subject: string,
    purpose: OpensslPurpose,
    key: OpensslKey,
  ): Promise<OpensslCertificate>
  /** Revokes it; the responder reads its list anew. */
  revoke(certificate: OpensslCertificate, reason: string): Promise<void>
  /** A CRL of the intermediate, PEM. */
  crl(): string
  /** A token for `data`, and a certificate for time-stamping only that signed it, both made anew. */
  timeStamp(data: string): Promise<{ readonly response: Buffer; readonly pem: string }>
}

const CONFIG = (dir: string, ocspUrl: string, crlUrl: string): string => `
[req]
distinguished_name = dn
string_mask = utf8only
[dn]
[ca]
default_ca = intermediate
[intermediate]
dir = ${dir}
database = ${dir}/index.txt
new_certs_dir = ${dir}/issued
certificate = ${dir}/intermediate.pem
private_key = ${dir}/intermediate.key
crlnumber = ${dir}/crlnumber
rand_serial = yes
default_md = sha384
default_days = 365
default_crl_days = 7
policy = any
preserve = yes
unique_subject = no
email_in_dn = no
[any]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = optional
serialNumber = optional
organizationIdentifier = optional
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[issuing]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[leaf]
basicConstraints = CA:FALSE
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
authorityInfoAccess = OCSP;URI:${ocspUrl}
crlDistributionPoints = URI:${crlUrl}
[authentication]
keyUsage = critical,digitalSignature,keyAgreement
extendedKeyUsage = serverAuth,clientAuth
subjectAltName = DNS:localhost,IP:127.0.0.1
[signing]
keyUsage = critical,nonRepudiation
[server]
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:tsa.example
[information-system]
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
[ocsp]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,OCSPSigning
[tsa-certificate]
basicConstraints = CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[tsa]
default_tsa = policy
[policy]
serial = ${dir}/tsa-serial
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256,sha384,sha512
accuracy = secs:1
ess_cert_id_alg = sha256
signer_digest = sha256
`

const section = (text: string, name: string): string =>
  text.split(`[${name}]\n`)[1]!.split(/^\[/m)[0]!

/** @param dir an empty folder. */
export async function startOpensslAuthority(dir: string): Promise<OpensslAuthority> {
  await using resources = new AsyncDisposableStack()
  const at = (name: string): string => join(dir, name)
  const openssl = async (...args: readonly string[]): Promise<void> =>
    void (await run('openssl', args))
  const port = await freePort()
  const ocspUrl = `http://127.0.0.1:${port}`
  const web = createServer((_request, response) => response.end(readFileSync(at('crl.der'))))
  const { port: webPort } = resources.use(await listen(web, 0))
  const crlUrl = `http://127.0.0.1:${webPort}/intermediate.crl`
  const text = CONFIG(dir, ocspUrl, crlUrl)
  mkdirSync(at('issued'), { recursive: true })
  writeFileSync(at('openssl.cnf'), text)
  writeFileSync(at('index.txt'), '')
  writeFileSync(at('crlnumber'), '01')
  writeFileSync(at('tsa-serial'), '01')

  const makeKey = (name: string, key: OpensslKey): Promise<void> => {
    const [kind = '', size = ''] = key.split('-')
    return kind === 'RSA'
      ? openssl('genrsa', '-out', at(`${name}.key`), size)
      : openssl(
          'genpkey',
          '-algorithm',
          'EC',
          '-pkeyopt',
          `ec_paramgen_curve:${key}`,
          '-out',
          at(`${name}.key`),
        )
  }
  const request = async (name: string, subject: string, key: OpensslKey): Promise<void> => {
    await makeKey(name, key)
    await openssl(
      ...['req', '-new', '-config', at('openssl.cnf'), '-utf8', '-subj', subject],
      ...['-key', at(`${name}.key`), '-out', at(`${name}.csr`)],
    )
  }
  const sign = (name: string, extensions: string): Promise<void> => {
    writeFileSync(at(`${name}.ext`), extensions)
    return openssl(
      ...['ca', '-batch', '-notext', '-utf8', '-config', at('openssl.cnf')],
      ...['-extfile', at(`${name}.ext`), '-in', at(`${name}.csr`), '-out', at(`${name}.pem`)],
    )
  }

  await makeKey('root', 'P-384')
  await openssl(
    ...['req', '-x509', '-new', '-config', at('openssl.cnf'), '-extensions', 'root', '-utf8'],
    ...['-subj', '/C=KH/O=ជាតិ/CN=National Root', '-sha384', '-days', '3650'],
    ...['-key', at('root.key'), '-out', at('root.pem')],
  )
  await request('intermediate', '/C=KH/O=ជាតិ/CN=National Issuing', 'RSA-3072')
  await openssl(
    ...['x509', '-req', '-CA', at('root.pem'), '-CAkey', at('root.key'), '-CAcreateserial'],
    ...['-extfile', at('openssl.cnf'), '-extensions', 'issuing', '-sha384', '-days', '1825'],
    ...['-in', at('intermediate.csr'), '-out', at('intermediate.pem')],
  )
  await request('ocsp', '/C=KH/CN=National OCSP', 'P-256')
  await sign('ocsp', section(text, 'ocsp'))
  await request('tsa', '/C=KH/CN=National TSA', 'P-256')
  await sign('tsa', section(text, 'tsa-certificate'))

  const responder = spawn(
    'openssl',
    [
      ...['ocsp', '-port', String(port), '-index', at('index.txt'), '-ndays', '1'],
      ...['-CA', at('intermediate.pem'), '-rsigner', at('ocsp.pem'), '-rkey', at('ocsp.key')],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  resources.defer(async () => {
    const ended = once(responder, 'exit')
    responder.kill('SIGKILL')
    await ended
  })
  await ready(responder)

  // It looks whether its list has changed after a question, for the next one.
  const refresh = (): Promise<void> =>
    openssl(
      ...['ocsp', '-url', ocspUrl, '-noverify', '-respout', at('refresh.ors')],
      ...['-issuer', at('intermediate.pem'), '-cert', at('ocsp.pem')],
    )
  const makeList = async (): Promise<void> => {
    const config = ['-config', at('openssl.cnf')]
    await openssl('ca', ...config, '-gencrl', '-out', at('crl.pem'))
    await openssl('crl', '-in', at('crl.pem'), '-outform', 'DER', '-out', at('crl.der'))
  }
  await makeList()
  const read = (name: string): string => readFileSync(at(name), 'utf8')
  const owned = resources.move()
  return {
    dir,
    certificates: [read('root.pem'), read('intermediate.pem')],
    ocspUrl,
    issue: async (name, subject, purpose, key) => {
      await request(name, subject, key)
      await sign(name, section(text, 'leaf') + section(text, purpose))
      await refresh()
      const pem = read(`${name}.pem`)
      writeFileSync(at(`${name}.chain.pem`), pem + read('intermediate.pem'))
      const files = { certificateFile: at(`${name}.chain.pem`), keyFile: at(`${name}.key`) }
      return { ...files, pem, chain: pem + read('intermediate.pem'), key: read(`${name}.key`) }
    },
    revoke: async ({ certificateFile }, reason) => {
      const revoke = ['-revoke', certificateFile, '-crl_reason', reason]
      await openssl('ca', '-config', at('openssl.cnf'), ...revoke)
      await makeList()
      await refresh()
    },
    crl: () => read('crl.pem'),
    timeStamp: async (data) => {
      writeFileSync(at('data'), data)
      await openssl('ts', '-query', '-data', at('data'), '-sha256', '-cert', '-out', at('data.tsq'))
      await openssl(
        ...['ts', '-reply', '-config', at('openssl.cnf'), '-section', 'policy'],
        ...['-queryfile', at('data.tsq'), '-inkey', at('tsa.key'), '-signer', at('tsa.pem')],
        ...['-chain', at('intermediate.pem'), '-out', at('data.tsr')],
      )
      return { response: readFileSync(at('data.tsr')), pem: read('tsa.pem') }
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** By its own word: a connection that says nothing would keep it from everybody else. */
async function ready({ stderr }: ChildProcess): Promise<void> {
  let said = ''
  while (!said.includes('waiting for OCSP client')) {
    const [chunk] = (await once(stderr!, 'data')) as [Buffer]
    said += chunk.toString()
  }
  stderr!.resume()
}
