/**
 * What the running authority publishes, fetched from its ports, is accepted by every judge of openssl, and refused
 * by each after one changed byte.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startAuthority, type RunningAuthority } from '../../pki/authority/server.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { createCsr } from '../../pki/csr.ts'
import { parseDer, type DerNode } from '../../pki/der.ts'
import { generateKey } from '../../pki/keys.ts'
import { toPem } from '../../pki/pem.ts'
import { GATEWAY, openssl, type Outcome } from '../pki/support.ts'
import { authorityConfig } from '../support/authority.ts'

/** Places over the whole of a range, its first and last byte among them. */
function places({ from, to }: { from: number; to: number }, count: number): number[] {
  return Array.from({ length: count }, (_, i) => from + Math.floor((i * (to - from)) / (count - 1)))
}

/** Where a value stands in what it was read from: nodes are views. */
const spanOf = (node: DerNode, der: Buffer): { from: number; to: number } => {
  const from = der.indexOf(node.encoded)
  return { from, to: from + node.encoded.length - 1 }
}

describe.each(['P-256', 'P-384', 'RSA-2048'] as const)('an authority of %s', (kind) => {
  let folder: string
  let running: RunningAuthority
  let leaf: Certificate
  const file = (name: string): string => join(folder, name)
  const put = (name: string, content: string | Uint8Array): string => {
    writeFileSync(file(name), content)
    return file(name)
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'spean-judges-'))
    const config = authorityConfig({ stateDir: file('state'), keyKind: kind })
    running = await startAuthority(config, { logger: pino({ level: 'silent' }) })
    const { authority } = running
    const key = await generateKey(kind)
    const csr = (await createCsr({ identity: GATEWAY, key })).der
    leaf = await authority.issue({ csr, kind: 'authentication', identity: GATEWAY })
    put('root.pem', authority.root.pem)
    put('authentication.pem', authority.issuers.authentication.pem)
    put('signing.pem', authority.issuers.signing.pem)
    put('leaf.pem', leaf.pem)
    await openssl('ts', '-query', '-data', file('leaf.pem'), '-cert', '-out', file('query'))
  }, 30_000)
  afterAll(async () => {
    await running[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })

  /** Refused after a change of each of the places; and accepted without, before and after. */
  async function judge(
    der: Buffer,
    judged: (bytes: Buffer) => Promise<Outcome>,
    where: readonly number[],
  ): Promise<void> {
    const good = await judged(der)
    expect(good.exitCode, good.output).toBe(0)
    for (const place of where) {
      const altered = Buffer.from(der)
      altered[place]! ^= 0x04
      const outcome = await judged(altered)
      expect({ place, accepted: outcome.exitCode === 0 }).toEqual({ place, accepted: false })
    }
  }

  const fetchBytes = async (url: string): Promise<Buffer> =>
    Buffer.from(await (await fetch(url)).arrayBuffer())

  const verify = (leafFile: string, lists: string): Promise<Outcome> =>
    openssl(
      ['verify', '-x509_strict', '-crl_check_all', '-CAfile', file('root.pem')],
      ['-untrusted', file('authentication.pem'), '-CRLfile', lists, leafFile],
    )

  it('issues certificates and lists that openssl verify judges so', async () => {
    const { crlUrls } = running.authority.issuers.authentication
    const [own, roots] = [await fetchBytes(leaf.crlUrls[0]!), await fetchBytes(crlUrls[0]!)]
    const listsWith = (list: Buffer): string =>
      put('lists.pem', toPem('X509 CRL', list) + toPem('X509 CRL', roots))
    const intact = listsWith(own)
    const whole = { from: 0, to: leaf.der.length - 1 }
    const asPem = (der: Buffer): string => put('altered.pem', toPem('CERTIFICATE', der))
    await judge(leaf.der, (der) => verify(asPem(der), intact), places(whole, 14))
    const all = { from: 0, to: own.length - 1 }
    await judge(own, (list) => verify(file('leaf.pem'), listsWith(list)), places(all, 14))
  }, 30_000)

  it('answers so that openssl ocsp judges so', async () => {
    const ask = [
      ...['ocsp', '-issuer', file('authentication.pem'), '-cert', file('leaf.pem')],
      ...['-CAfile', file('root.pem'), '-verify_other', file('authentication.pem')],
    ]
    const asked = await openssl(ask, '-url', leaf.ocspUrls[0]!, '-respout', file('answer.der'))
    expect(asked.output).toContain('Response verify OK')
    const der = readFileSync(file('answer.der'))
    const judged = async (bytes: Buffer): Promise<Outcome> => {
      const outcome = await openssl(ask, '-no_nonce', '-respin', put('altered.der', bytes))
      const isGood =
        outcome.output.includes('Response verify OK') && /: good\n/.test(outcome.output)
      return { ...outcome, exitCode: isGood ? outcome.exitCode : 1 }
    }
    // Signed are the data; the signature stands behind them, and behind that the certificate, which is signed too.
    const [, bytes] = parseDer(der).children
    const basic = parseDer(bytes!.children[0]!.children[1]!.content)
    const [data, , signature] = basic.children
    const inside = [...places(spanOf(data!, der), 10), ...places(spanOf(signature!, der), 6)]
    await judge(der, judged, inside)
  }, 30_000)

  it('stamps so that openssl ts and openssl cms judge so', async () => {
    const headers = { 'content-type': 'application/timestamp-query' }
    const body = new Uint8Array(readFileSync(file('query')))
    const answer = await fetch(`${running.publicUrl}/tsp`, { method: 'POST', headers, body })
    const reply = Buffer.from(await answer.arrayBuffer())
    const chain = ['-CAfile', file('root.pem'), '-untrusted', file('signing.pem')]
    const query = ['-queryfile', file('query')]
    const token = parseDer(reply).children[1]!.encoded
    // The content from the imprint on, and the signature at the end.
    const imprint = parseDer(readFileSync(file('query'))).children[1]!.children[1]!.content
    const at = (der: Buffer) => [
      ...places({ from: der.indexOf(imprint), to: der.indexOf(imprint) + 60 }, 8),
      ...places({ from: der.length - 40, to: der.length - 1 }, 5),
    ]
    await judge(
      reply,
      (der) => openssl('ts', '-verify', query, '-in', put('altered.tsr', der), chain),
      at(reply),
    )
    const cms = (der: Buffer): Promise<Outcome> =>
      openssl(
        [
          'cms',
          '-verify',
          '-inform',
          'DER',
          '-in',
          put('altered.p7s', der),
          '-out',
          file('content'),
        ],
        ['-purpose', 'timestampsign', '-binary', '-CAfile', file('root.pem')],
        ['-certfile', file('signing.pem')],
      )
    await judge(token, cms, at(token))
  }, 30_000)
})
