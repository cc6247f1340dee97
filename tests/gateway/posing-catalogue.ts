/** Whoever poses as the catalogue: at its address, with its TLS key, and keys to sign with. */
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { CompactSign } from 'jose'
import {
  signAnchor,
  type AnchorContent,
  type NumberedAnchor,
} from '../../protocol/anchor-statement.ts'
import { PLAIN_SNAPSHOT_TYPE, toPlainSnapshot } from '../../protocol/snapshot-form.ts'
import type { Anchor, Snapshot } from '../../protocol/snapshot.ts'
import { listen } from '../../runtime/lifecycle.ts'
import type { CatalogueConfig } from '../../service-catalogue/config.ts'
import { anchorSigner, openKeyRing, type RingKey } from '../../service-catalogue/key-ring.ts'
import { temporaryFolder } from '../service-catalogue/support.ts'

export interface Posing extends AsyncDisposable {
  /** What it answers by path; 404 for the rest. */
  readonly answers: Map<string, string>
  /** Entity tag of the snapshot, which it then tells in its plain form. */
  tag?: string
}

export async function poseAs(config: CatalogueConfig): Promise<Posing> {
  const answers = new Map<string, string>()
  const [cert, key] = [config.tlsCertificateFile, config.tlsKeyFile].map((file) =>
    readFileSync(file),
  )
  const posing: { tag?: string } = {}
  const server = createServer({ cert, key }, ({ url = '', headers }, response) => {
    const answer = answers.get(url)
    if (answer === undefined || url !== '/snapshot' || posing.tag === undefined) {
      response.writeHead(answer === undefined ? 404 : 200).end(answer)
    } else if (headers['if-none-match'] === posing.tag) response.writeHead(304).end()
    else {
      const plain = { 'content-type': PLAIN_SNAPSHOT_TYPE, etag: posing.tag }
      response.writeHead(200, plain).end(toPlainSnapshot(answer))
    }
  })
  const listening = await listen(server, config.port)
  return Object.assign(posing, {
    answers,
    [Symbol.asyncDispose]: () => listening[Symbol.asyncDispose](),
  })
}

export async function makeKey(): Promise<RingKey> {
  return (await openKeyRing(temporaryFolder())).ensureFirst()
}

export function sign(
  snapshot: Snapshot,
  { kid, privateKey }: RingKey,
  header: { readonly anchor?: number } = {},
): Promise<string> {
  return new CompactSign(Buffer.from(JSON.stringify(snapshot)))
    .setProtectedHeader({ alg: 'ES256', kid, typ: 'spean-snapshot', ...header })
    .sign(privateKey)
}

/** The anchor after `previous` with these keys, or what `changes` make of it. */
export function announce(
  previous: Anchor,
  { keys, signers }: { readonly keys: readonly RingKey[]; readonly signers: readonly RingKey[] },
  changes: Partial<NumberedAnchor> = {},
): Promise<string> {
  const content: AnchorContent = {
    version: 1,
    instance: previous.instance,
    number: (previous.number ?? 1) + 1,
    issuedAt: '2026-01-01T00:00:00.000Z',
    catalogueUrl: previous.catalogueUrl,
    rootCertificates: previous.rootCertificates,
    keys: keys.map(({ publicJwk }) => publicJwk) as Anchor['keys'],
    ...changes,
  }
  return signAnchor(content, signers.map(anchorSigner))
}
