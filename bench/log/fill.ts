import { hash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ContentSealer } from '../../exchange-log/content.ts'
import type { LogStores } from '../../exchange-log/open-log.ts'
import type { SealedRecord } from '../../exchange-log/store.ts'
import { commitmentOf, newSalt, recordText, type LogRecord } from '../../exchange-log/record.ts'
import { parseCertificates } from '../../pki/certificate.ts'
import { openKeyFile } from '../../pki/keys.ts'
import type { HeaderBlock } from '../../protocol/header-block.ts'
import { signJws } from '../../protocol/jws.ts'
import { jwsDigest, manifestText, type Manifest } from '../../protocol/manifest.ts'
import { newExchangeId } from '../../runtime/exchange-id.ts'
import { EMPTY_BODY } from '../../runtime/spool.ts'

export interface Population {
  readonly clients: readonly string[]
  readonly services: readonly string[]
  readonly begunAt: Date
  /** Between the first exchange and the last. */
  readonly spanMs: number
}
export interface FillOptions extends Population {
  /** Two for each exchange: a request and its response. */
  readonly records: number
  readonly bodyBytes: number
  readonly sealer: ContentSealer
  readonly requestSigner: ManifestSigner
  readonly responseSigner: ManifestSigner
  readonly progress: (done: number) => void
}
/** Signs as a member does. */
export interface ManifestSigner {
  readonly certificate: Buffer
  sign(manifest: Manifest, at: Date): string
}

/** Exchanges that are made at one time, and how many such batches are on their way to the store meanwhile. */
const TOGETHER = 256
const UNDER_WAY = 4
const HEADERS: HeaderBlock = [
  ['accept', 'application/json'],
  ['content-type', 'application/json; charset=utf-8'],
  ['traceparent', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'],
  ['x-road-userid', 'KH1234'],
]

export function openManifestSigner(
  member: string,
  files: { readonly key: string; readonly certificate: string },
): ManifestSigner {
  const { privateKey } = openKeyFile(files.key)
  const { der, thumbprint } = parseCertificates(readFileSync(files.certificate, 'utf8'))[0]!
  return {
    certificate: der,
    sign: (manifest, at) => {
      const iat = Math.floor(at.getTime() / 1000)
      const header = { alg: 'ES256', iat, kid: member, 'x5t#S256': thumbprint } as const
      return signJws(header, manifestText(manifest), privateKey)
    },
  }
}

/** Appends exchanges as a provider's gateway records them, each message signed, each body random bytes. */
export async function fillLog(stores: LogStores, options: FillOptions): Promise<void> {
  const { records: wanted, requestSigner, responseSigner } = options
  await stores.validation.keepCertificates([requestSigner.certificate, responseSigner.certificate])
  const { last } = await stores.records.extent()
  const underWay: Promise<unknown>[] = []
  for (let done = 0; done < wanted; done += 2 * TOGETHER) {
    const pairs = Math.min(TOGETHER, (wanted - done) / 2)
    const records = Array.from({ length: pairs }, (_, i) => {
      const { request, response } = exchangeOf(options, done / 2 + i)
      return [request, { ...response, begunAt: last + done + 2 * i + 1 }]
    }).flat()
    const sealed = await Promise.all(records.map((record) => seal(record, options)))
    if (underWay.length >= UNDER_WAY) await underWay.shift()
    // In their order: positions are those that the responses name.
    underWay.push(Promise.all(sealed.map((one) => stores.records.append(one))))
    options.progress(done + 2 * pairs)
  }
  await Promise.all(underWay)
}

async function seal(record: LogRecord, { bodyBytes, sealer }: FillOptions): Promise<SealedRecord> {
  const salt = newSalt()
  const commitment = commitmentOf(salt, recordText(record))
  const bytes = randomBytes(bodyBytes)
  const body = { ...EMPTY_BODY, size: bytes.length, bytes }
  const content = await sealer.seal({ headers: HEADERS, body }, 'full')
  return { record, salt, commitment, ...(content ? { content: content.bind(commitment) } : {}) }
}

function exchangeOf(
  options: FillOptions,
  number: number,
): { request: LogRecord; response: LogRecord } {
  const { clients, services, begunAt, spanMs, records, bodyBytes } = options
  const client = clients[number % clients.length]!
  const service = services[(number * 7) % services.length]!
  const at = new Date(begunAt.getTime() + Math.floor((number / (records / 2)) * spanMs))
  const answeredAt = new Date(at.getTime() + 40)
  const exchangeId = newExchangeId(at)
  const base = {
    ...{ version: 1 as const, exchangeId, messageId: exchangeId, client, service },
    headersDigest: hash('sha256', `headers ${number}`, 'base64url'),
    bodyDigest: hash('sha256', `body ${number}`, 'base64url'),
    ...{ bodySize: bodyBytes, gateway: 'KH-DEV/COM/MEKONGBANK/MEKONG-1', snapshot: 42 },
  }
  const asked = { method: 'POST', target: `/r1/${service}/people/${number}`, userId: 'KH1234' }
  const requestJws = options.requestSigner.sign({ ...base, kind: 'request', ...asked }, at)
  const responseJws = options.responseSigner.sign(
    { ...base, kind: 'response', status: 200, requestDigest: jwsDigest(requestJws) },
    answeredAt,
  )
  const common = {
    ...{ exchangeId, side: 'provider' as const, client, service, messageId: exchangeId },
    ...{ peer: base.gateway, kept: 'full' as const, bodyBytes },
  }
  return {
    request: {
      ...common,
      ...asked,
      ...{ kind: 'request', at, recordedAt: at, manifest: requestJws },
    },
    response: {
      ...common,
      ...{ kind: 'response', at: answeredAt, recordedAt: answeredAt, status: 200 },
      manifest: responseJws,
    },
  }
}
