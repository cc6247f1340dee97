import { verify } from 'node:crypto'
import { globSync, statSync } from 'node:fs'
import type { LogStores } from '../../exchange-log/open-log.ts'
import { tileReader } from '../../exchange-log/tree-reader.ts'
import { openFolderSource } from '../../exchange-log/verify/folder-source.ts'
import { verifyLog, type VerifyOptions } from '../../exchange-log/verify/verify-log.ts'
import { parseCertificate } from '../../pki/certificate.ts'
import { parseJws, verifyJws } from '../../protocol/jws.ts'
import { inclusionProof, verifyInclusion, leafHash } from '../../protocol/merkle-tree.ts'
import type { Population } from './fill.ts'

export interface Spread {
  readonly medianMs: number
  readonly p95Ms: number
  readonly mostMs: number
}

const HOUR_MS = 3_600_000

async function spreadOf(times: number, run: () => Promise<void>): Promise<Spread> {
  const taken: number[] = []
  for (let i = 0; i < times; i += 1) {
    const begun = performance.now()
    await run()
    taken.push(performance.now() - begun)
  }
  taken.sort((a, b) => a - b)
  const at = (share: number): number => round(taken[Math.floor((times - 1) * share)]!)
  return { medianMs: at(0.5), p95Ms: at(0.95), mostMs: at(1) }
}

const round = (value: number): number => Math.round(value * 100) / 100
const randomBelow = (n: number): number => Math.floor(Math.random() * n)

/** Questions to the store, each about something else. */
export async function measureQueries(
  { records, tree }: LogStores,
  { clients, begunAt, spanMs }: Population,
): Promise<Record<'byExchangeId' | 'byClientAndHour' | 'inclusionProof', Spread>> {
  const { last } = await records.extent()
  const anyRecord = async () => (await records.after(randomBelow(last), 1))[0]!
  const ids = await Promise.all(Array.from({ length: 200 }, anyRecord))
  const byExchangeId = await spreadOf(200, async () => {
    const { exchangeId } = ids.pop()!
    const [found] = await records.list({ id: exchangeId, limit: 10 })
    if (found?.exchangeId !== exchangeId) throw new TypeError('the exchange was not found')
  })
  let found = 0
  const byClientAndHour = await spreadOf(50, async () => {
    const from = new Date(begunAt.getTime() + randomBelow(spanMs - HOUR_MS))
    const to = new Date(from.getTime() + HOUR_MS)
    const client = clients[randomBelow(clients.length)]!
    found += (await records.list({ client, from, to, limit: 1000 })).length
  })
  if (found === 0) throw new TypeError('no hour of any client has an exchange')
  const { size, rootHash } = (await tree.head())!
  const read = tileReader(tree)
  // From anywhere in the tree, and with the record's own commitment looked up: as one who asks for a proof.
  const proof = await spreadOf(500, async () => {
    const index = randomBelow(size)
    const [commitment] = await records.commitments(index, 1)
    const path = await inclusionProof(index, size, read)
    verifyInclusion(path, { index, size, leaf: leafHash(commitment!) }, rootHash)
  })
  return { byExchangeId, byClientAndHour, inclusionProof: proof }
}

export interface VerifyRate {
  readonly recordsPerSecond: number
  /** By the processor's time of this process, all its threads. */
  readonly recordsPerCpuSecond: number
}

/** Records that are verified before it is measured, so that the code is compiled. */
const WARM_UP = 16_384

export async function measureVerify(
  folder: string,
  options: VerifyOptions,
): Promise<VerifyRate & { records: number; signatures: number }> {
  await using source = openFolderSource(folder)
  await verifyLog(source, { ...options, to: WARM_UP })
  const cpu = process.cpuUsage()
  const begun = performance.now()
  const { findings, records, signatures } = await verifyLog(source, options)
  const seconds = (performance.now() - begun) / 1000
  const { user, system } = process.cpuUsage(cpu)
  if (findings.length > 0) throw new TypeError(`the log is not whole: ${findings[0]!.detail}`)
  return {
    records,
    signatures,
    recordsPerSecond: Math.round(records / seconds),
    recordsPerCpuSecond: Math.round(records / ((user + system) / 1e6)),
  }
}

/** ES256 verifications a second of this core, over what a manifest signs; the key and all else ready. */
export async function measureEs256(
  { records, validation }: LogStores,
  seconds = 3,
): Promise<{ rawPerSecond: number; rawPerCpuSecond: number; jwsPerSecond: number }> {
  const some = await records.after(0, 1000)
  const signed = await Promise.all(
    some.map(async ({ manifest }) => {
      const jws = parseJws(manifest!)
      const der = (await validation.certificate(jws.header['x5t#S256']))!
      const key = parseCertificate(der).publicKey
      const data = Buffer.from(jws.signingInput)
      return { jws, key, data, signature: derOf(jws.signature) }
    }),
  )
  const rate = (run: (one: (typeof signed)[number]) => void): [wall: number, cpu: number] => {
    const cpu = process.cpuUsage()
    const begun = performance.now()
    let count = 0
    while (performance.now() - begun < seconds * 1000) {
      for (const one of signed) run(one)
      count += signed.length
    }
    const { user, system } = process.cpuUsage(cpu)
    const wall = Math.round(count / ((performance.now() - begun) / 1000))
    return [wall, Math.round(count / ((user + system) / 1e6))]
  }
  const raw = rate(({ key, data, signature }) => {
    if (!verify('sha256', data, key, signature)) throw new TypeError('it does not verify')
  })
  const [jwsPerSecond] = rate(({ jws, key }) => verifyJws(jws, key))
  return { rawPerSecond: raw[0], rawPerCpuSecond: raw[1], jwsPerSecond }
}

/** r ‖ s to ECDSA-Sig-Value (RFC 3279 §2.2.3). */
function derOf(raw: Buffer): Buffer {
  const integer = (part: Buffer): Buffer => {
    const value = part.subarray(part.findIndex((byte) => byte !== 0))
    const content = value[0]! < 0x80 ? value : Buffer.concat([Buffer.of(0), value])
    return Buffer.concat([Buffer.of(0x02, content.length), content])
  }
  const body = Buffer.concat([integer(raw.subarray(0, 32)), integer(raw.subarray(32))])
  return Buffer.concat([Buffer.of(0x30, body.length), body])
}

/** What the log's databases take. */
export function bytesOnDisk(folder: string): number {
  return globSync(`${folder}/{exchange-log,log-tree,log-validation,time-stamps}.db*`)
    .map((file) => statSync(file).size)
    .reduce((sum, size) => sum + size, 0)
}
