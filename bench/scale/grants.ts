/** 100,000 grants and 100,000 signed contracts in the databases of a gateway, in its own form. */
import { sign, type KeyObject } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { openSettings } from '../../gateway/access/settings.ts'
import { openContractStore } from '../../gateway/contracts/store.ts'
import type { Certificate } from '../../pki/certificate.ts'
import {
  addSignature,
  contractSigningInput,
  CONTRACT_TYPE,
  formatDocument,
  unsignedDocument,
  type ContractHeader,
  type SignedDocument,
} from '../../protocol/contract-jws.ts'
import type { Contract } from '../../protocol/contract.ts'
import { ecdsaDerToRaw } from '../../protocol/jws.ts'
import { pairs } from './country.ts'

export interface MemberSigner {
  readonly certificate: Certificate
  readonly privateKey: KeyObject
}

export function fillGrants(file: string): number {
  openSettings(file)[Symbol.dispose]()
  using db = new DatabaseSync(file)
  const insert = db.prepare('INSERT INTO accessGrant VALUES (?, ?, ?, ?, ?)')
  db.exec('BEGIN')
  let count = 0
  for (const { client, service } of pairs()) {
    const endpoints = [
      { method: 'GET', path: '/v1/**' },
      ...(count % 2 === 0 ? [] : [{ method: 'POST', path: `/v1/records${count % 50}` }]),
    ]
    insert.run(crypto.randomUUID(), client, service, JSON.stringify(endpoints), Date.now())
    count += 1
  }
  db.exec('COMMIT')
  return count
}

/** @returns how many, each signed by both members. */
export function fillContracts(file: string, signerOf: (member: string) => MemberSigner): number {
  openContractStore(file)[Symbol.dispose]()
  using db = new DatabaseSync(file)
  const insert = db.prepare(
    'INSERT INTO document (digest, contract, jws, isOwn, isSent) VALUES (?, ?, ?, 0, 1)',
  )
  db.exec('BEGIN')
  let count = 0
  for (const { client, service } of pairs()) {
    const document = signed(contractOf(client, service, count), [client, service], signerOf)
    insert.run(document.digest, document.digest, formatDocument(document))
    count += 1
  }
  db.exec('COMMIT')
  // Now they are in its index too.
  openContractStore(file)[Symbol.dispose]()
  return count
}

function contractOf(client: string, service: string, number: number): Contract {
  return {
    ...{ version: 1, kind: 'contract', id: crypto.randomUUID(), client, service },
    endpoints: [
      { method: 'GET', path: `/v1/records${number % 10_000}`, fields: ['/id', '/nameKhmer'] },
      { method: 'GET', path: `/v1/records${number % 10_000}/*` },
    ],
    purposes: ['identity', 'statistics'],
    validFrom: '2026-01-01T00:00:00Z',
    validUntil: '2031-01-01T00:00:00Z',
    quota: { perSecond: 20, perDay: 50_000 },
    otherFields: 'strip',
    reason: `Sub-decree ${number % 400}, article ${number % 30}`,
  }
}

function signed(
  content: Contract,
  parties: readonly string[],
  signerOf: (member: string) => MemberSigner,
): SignedDocument<Contract> {
  let document: SignedDocument<Contract> | undefined
  const unsigned = unsignedDocument(content)
  for (const party of parties) {
    const member = party.split('/', 3).join('/')
    const { certificate, privateKey } = signerOf(member)
    const header: ContractHeader = {
      alg: 'ES256',
      iat: Math.floor(Date.now() / 1000),
      kid: member,
      typ: CONTRACT_TYPE,
      'x5t#S256': certificate.thumbprint,
    }
    const input = Buffer.from(contractSigningInput(header, unsigned.payload), 'ascii')
    const signature = ecdsaDerToRaw(sign('sha256', input, privateKey), 32)
    document = addSignature<Contract>(document ?? unsigned, header, signature)
  }
  return document!
}
