/** A contract that a call names before the feed has brought it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { startContractFeed } from '../../gateway/contracts/feed.ts'
import { createLookFor } from '../../gateway/contracts/look-for.ts'
import { openContractStore, type ContractStore } from '../../gateway/contracts/store.ts'
import type { OwnTls } from '../../gateway/credentials/tls.ts'
import { generateKey } from '../../pki/keys.ts'
import { formatDocument, parseDocument } from '../../protocol/contract-jws.ts'
import { createAuthority, writeServerCertificate } from '../service-catalogue/support.ts'
import { contractOf, signedContract } from '../support/contracts.ts'
import { BANK, INSTANCE } from '../support/federation.ts'
import { silent } from './support.ts'

const folder = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'look-for-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

async function agreedContract() {
  const { privateKey } = await generateKey('P-256')
  const by = (member: string) => ({ member, thumbprint: 'A'.repeat(43), privateKey })
  return signedContract(contractOf(), by(BANK.replace(/\/KYC$/, '')), by(`${INSTANCE}/GOV/REG`))
}

/** A catalogue that has one contract, and holds whoever is willing to wait. */
async function startCatalogueWith(jws: string) {
  const authority = await createAuthority()
  const dir = folder()
  const files = { tlsCertificateFile: join(dir, 'c.pem'), tlsKeyFile: join(dir, 'k.pem') }
  await writeServerCertificate(authority, files)
  const cert = readFileSync(files.tlsCertificateFile, 'utf8')
  const key = readFileSync(files.tlsKeyFile, 'utf8')
  const seen = { held: 0, asked: 0, status: 200 }
  const server = createServer({ cert, key }, (request, response) => {
    if (request.headers.prefer !== undefined) {
      seen.held += 1
      return
    }
    seen.asked += 1
    const documents = [{ position: 1, jws }]
    response.writeHead(seen.status).end(JSON.stringify({ documents, next: 1 }))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((done) => server.close(done))
  })
  const { port } = server.address() as AddressInfo
  const anchor = {
    catalogueUrl: `https://127.0.0.1:${port}`,
    rootCertificates: [authority.root.certificate.pem],
  }
  return { anchor, seen, tls: { thumbprint: 't', cert, key } as unknown as OwnTls }
}

function follow(
  store: ContractStore,
  { anchor, tls }: Pick<Awaited<ReturnType<typeof startCatalogueWith>>, 'anchor' | 'tls'>,
) {
  const feed = startContractFeed({
    ...{ store, anchor, logger: silent, waitSeconds: 30 },
    intake: {
      take: async (jws) => void store.put(parseDocument(jws), 'catalogue'),
      retry: () => Promise.resolve(),
    },
    tls: () => tls,
    told: () => ({}),
    members: () => 'a',
    onTaken: () => Promise.resolve(),
  })
  onTestFinished(() => feed[Symbol.asyncDispose]())
  return feed
}

function openStore(): ContractStore {
  const store = openContractStore(join(folder(), 'contracts.db'))
  onTestFinished(() => store[Symbol.dispose]())
  return store
}

it('is fetched at once by the first calls that name it, with one question for all of them', async () => {
  const contract = await agreedContract()
  const store = openStore()
  const catalogue = await startCatalogueWith(formatDocument(contract))
  const lookFor = createLookFor({ store, feed: follow(store, catalogue) })
  const { seen } = catalogue
  while (seen.held === 0) await new Promise((done) => setTimeout(done, 5))
  expect(store.byDigest(contract.digest)).toBeUndefined()
  await Promise.all(Array.from({ length: 20 }, () => lookFor(contract.digest)))
  expect(store.byDigest(contract.digest)?.isAgreed).toBe(true)
  expect(seen.asked).toBe(1)
  await lookFor(contract.digest)
  expect(seen.asked).toBe(1)
})

it('that nobody has is asked for once in an interval, and neither silence nor a fault holds a call for long', async () => {
  const store = openStore()
  let now = 0
  let asked = 0
  const lookFor = createLookFor({
    store,
    feed: {
      catchUp: () => {
        asked += 1
        return Promise.resolve()
      },
    },
    now: () => now,
  })
  await Promise.all([lookFor('A'.repeat(43)), lookFor('A'.repeat(43)), lookFor('B'.repeat(43))])
  expect(asked).toBe(2)
  now += 4999
  await lookFor('A'.repeat(43))
  expect(asked).toBe(2)
  now += 1
  await lookFor('A'.repeat(43))
  expect(asked).toBe(3)
  // Digests that somebody makes up
  now += 5000
  const made = Array.from({ length: 1500 }, (_, n) => lookFor(`${n}`.padStart(43, '0')))
  await Promise.all(made)
  expect(asked).toBe(1003)

  const silence = { catchUp: () => new Promise<never>(() => undefined) }
  await createLookFor({ store, feed: silence })('A'.repeat(43))
  const catalogue = await startCatalogueWith('{}')
  catalogue.seen.status = 503
  const failing = createLookFor({ store, feed: follow(store, catalogue) })
  await failing('C'.repeat(43))
  expect(catalogue.seen.asked).toBe(1)
})
