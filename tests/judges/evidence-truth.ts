/** What is true: the exchange that forged evidence lies about. */
import { hash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { Evidence } from '../../exchange-log/evidence/evidence.ts'
import type { ExchangeDescription, MessageName } from '../../exchange-log/evidence/layout.ts'
import type { LogRecord } from '../../exchange-log/record.ts'
import { jwsDigest, type Manifest } from '../../protocol/manifest.ts'

export const AT = new Date('2026-03-02T08:00:00.250Z')
export const ORIGIN = 'spean/KH-TEST/COM/BANK/BANK-1/log'
const ID = '01a20dd6-3821-7958-81ad-c3be43265bfd'
export const seconds = (s: number): Date => new Date(AT.getTime() + s * 1000)

export const CONTENT = {
  request: [Buffer.from('x-road-client:KH-TEST/COM/BANK/KYC\n'), Buffer.from('who is សុខា?')],
  response: [Buffer.from('content-type:text/plain\n'), Buffer.from('a citizen')],
} as const

/** Position of the request's record. */
export const FIRST = 5

export function manifestOf(part: MessageName, request: string | undefined): Manifest {
  const [headers, body] = CONTENT[part]
  const base = {
    version: 1 as const,
    ...{ exchangeId: ID, messageId: 'KH-TEST-1', client: 'KH-TEST/COM/BANK/KYC' },
    ...{ service: 'KH-TEST/GOV/REG/POP/echo', gateway: 'KH-TEST/COM/BANK/BANK-1', snapshot: 7 },
    headersDigest: hash('sha256', headers, 'base64url'),
    bodyDigest: hash('sha256', body, 'base64url'),
    bodySize: body.length,
  } as const
  if (part === 'response') {
    return { ...base, kind: 'response', status: 200, requestDigest: jwsDigest(request ?? '') }
  }
  const target = '/r1/KH-TEST/GOV/REG/POP/echo/citizens'
  return { ...base, kind: 'request', method: 'POST', target, userId: 'KH1234' }
}

export function recordOf(manifest: string, of: Manifest): LogRecord {
  const { exchangeId, client, service, messageId, bodySize: bodyBytes } = of
  const base = { exchangeId, client, service, messageId, bodyBytes, manifest }
  if (of.kind === 'response') {
    const { status } = of
    const more = { kept: 'full', begunAt: FIRST, peer: 'KH-TEST/GOV/REG/REG-1', status } as const
    const times = { at: seconds(0.4), recordedAt: seconds(0.5) }
    return { ...base, ...more, ...times, side: 'client', kind: 'response' }
  }
  const { method, target, userId } = of
  const asked = { method, target, ...(userId === undefined ? {} : { userId }) }
  const times = { at: seconds(0), recordedAt: seconds(0.1) }
  return { ...base, ...asked, ...times, kept: 'full', side: 'client', kind: 'request' }
}

export function bodyOf(body: Buffer | undefined): Evidence['messages'][number]['body'] {
  return body && { size: body.length, open: () => Promise.resolve(Readable.from([body])) }
}

export function describe(
  records: Evidence['records'],
  messages: Evidence['messages'],
  { origin, stamp }: { readonly origin: string; readonly stamp: NonNullable<Evidence['stamp']> },
): ExchangeDescription {
  const { client, service, peer } = records[0]!.record
  return {
    ...{ version: 1, exchangeId: ID, origin, side: 'client' },
    ...(client === undefined ? {} : { client }),
    ...(service === undefined ? {} : { service }),
    ...(peer === undefined ? {} : { peer }),
    madeAt: seconds(10).toISOString(),
    records: records.map(({ part, record: { position, at, recordedAt, kept } }) => ({
      ...{ part, position, at: at.toISOString(), recordedAt: recordedAt.toISOString() },
      ...(kept === undefined ? {} : { kept }),
    })),
    checkpoint: { size: stamp.size, at: seconds(1).toISOString() },
    timeStamp: {
      authority: stamp.authority,
      genTime: stamp.genTime.toISOString(),
      serial: stamp.serial,
    },
    jades: Object.fromEntries(messages.map(({ part }) => [part, 'B-LT'])),
    absent: [],
    others: [],
  }
}
