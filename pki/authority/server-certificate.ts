import { join } from 'node:path'
import { isAltName } from '../subject-alt-name.ts'
import type { Authority } from './authority.ts'
import { createRenewedCertificate } from './renewed-certificate.ts'

/** What the HTTPS ports of the authority itself show. */
export interface ServerCertificate {
  /** True when there is a newer certificate than at the last question. */
  readonly isRenewed: () => Promise<boolean>
  /** For a server of Node. */
  readonly options: () => {
    readonly key: string | Buffer
    readonly cert: string
    readonly minVersion: 'TLSv1.3'
  }
}

/** @param deps.urls under which the ports are reached; empty ones say nothing. */
export async function openServerCertificate(deps: {
  readonly authority: Authority
  readonly stateDir: string
  readonly host: string
  readonly urls: readonly string[]
}): Promise<ServerCertificate> {
  const { authority, stateDir, host, urls } = deps
  const issuer = authority.issuers.authentication
  const { privateKey, publicKey } = await authority.openTlsKey('admin.key')
  const names = serverNames(host, urls)
  const current = createRenewedCertificate({
    file: join(stateDir, 'admin.pem'),
    isFitting: (certificate) =>
      certificate.publicKey.equals(publicKey) &&
      certificate.issuerDer.equals(issuer.subjectDer) &&
      names.every((name) => certificate.subjectAltNames.includes(name)),
    issue: () => authority.issueServer(publicKey, names),
  })
  let served = await current(authority.clock())
  return {
    isRenewed: async () => served !== (served = await current(authority.clock())),
    options: () => ({
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      cert: served.pem + issuer.pem,
      minVersion: 'TLSv1.3',
    }),
  }
}

/** Names a client may know this program by; an address that means "all of them" is none. */
function serverNames(host: string, urls: readonly string[]): string[] {
  const hosts = urls
    .filter((url) => url !== '')
    .map((url) => new URL(url).hostname.replace(/[[\]]/g, ''))
  return [...new Set(['localhost', '127.0.0.1', host, ...hosts])].filter(
    (name) => isAltName(name) && !/^(0\.0\.0\.0|::)$/.test(name),
  )
}
