/** Two gateways that call each other in memory: real keys, signatures and steps; ports made by hand. */
import { createHash } from 'node:crypto'
import { tmpdir } from 'node:os'
import { Readable } from 'node:stream'
import { createBodies } from '../../gateway/bodies.ts'
import { indexSnapshot, type IndexedSnapshot } from '../../gateway/catalogue/view.ts'
import { serveExchange } from '../../gateway/exchange.ts'
import type { Asked, Incoming, Received, Reply } from '../../gateway/exchange-state.ts'
import type { ExchangeEntry } from '../../exchange-log/record.ts'
import type {
  ClientGateway,
  OutgoingRequest,
  ProviderGateway,
  StepRunner,
} from '../../gateway/ports.ts'
import type { OwnKnowledge } from '../../gateway/credentials/lacks.ts'
import { createContracts } from '../../gateway/contracts/contracts.ts'
import { createReplayGuard } from '../../gateway/replay/guard.ts'
import {
  createCredential,
  isOfSlot,
  type Credential,
} from '../../gateway/credentials/credential.ts'
import { createCredentials, type Credentials } from '../../gateway/credentials/credentials.ts'
import { createSigner } from '../../gateway/signer.ts'
import { createStepRunner } from '../../gateway/step-runner.ts'
import { subjectOf } from '../../pki/identity.ts'
import { generateKey } from '../../pki/keys.ts'
import { toRawHeaders } from '../../protocol/header-block.ts'
import type { SigningKey } from '../../pki/signing-key.ts'
import { readGatewayId } from '../../protocol/identifiers.ts'
import type { Snapshot } from '../../protocol/snapshot.ts'
import { createLogger } from '../../runtime/logger.ts'
import { createSpool, EMPTY_BODY, type SpooledBody } from '../../runtime/spool.ts'
import { createTestAuthority, later, NOW, type TestAuthority } from '../pki/support.ts'

export const BANK = 'KH-TEST/COM/BANK'
export const REGISTRY = 'KH-TEST/GOV/REG'
export const CLIENT = `${BANK}/KYC`
export const SERVICE = `${REGISTRY}/POP/echo`
export const ID = '01a206cc-083d-72a8-8932-a6c940c296d0'
const OWN_HEADERS = ['X-Road-Client', CLIENT, 'Content-Type', 'text/plain']
/** Bodies stay in memory. */
const MAX_BYTES = 1_000_000
export const silent = createLogger('test', 'silent')
/** A gateway that knows of no revocation. */
export const knowledgeOf = (gateway: string): OwnKnowledge => ({
  gateway,
  revocation: () => undefined,
  clockWords: () => 'the clock is right',
})

export interface Side<G> {
  readonly gw: G
  /** Names of the steps that were begun. */
  readonly ran: string[]
  readonly log: ExchangeEntry[]
}
export interface Pair {
  readonly authority: TestAuthority
  readonly snapshot: Snapshot
  readonly view: IndexedSnapshot
  readonly keys: Record<'bank' | 'registry', Credential>
  readonly client: Side<ClientGateway>
  readonly provider: Side<ProviderGateway>
  /** Requests that left the client's gateway. */
  readonly sent: OutgoingRequest[]
  /** Calls that reached the service. */
  readonly called: string[]
  asked(changes?: Partial<Asked>): Asked
  /** What the provider's gateway receives when `message` is sent. */
  received(message: OutgoingRequest, changes?: Partial<Received>): Received
}

export async function pairOfGateways(): Promise<Pair> {
  const authority = await createTestAuthority()
  const bank = await signingKey(authority, 'COM', 'BANK')
  const registry = await signingKey(authority, 'GOV', 'REG')
  const shown = await gatewayCertificate(authority, 'COM', 'BANK', 'BANK-1')
  const snapshot = snapshotOf(authority, {
    bank,
    registry,
    bankGateway: shown,
    registryGateway: await gatewayCertificate(authority, 'GOV', 'REG', 'REG-1'),
  })
  const view = indexSnapshot(snapshot)
  const spool = createSpool({ dir: tmpdir(), memoryBytes: MAX_BYTES, maxStoredBytes: 0 })
  const bodies = createBodies(spool, { maxBytes: MAX_BYTES, idleMs: 5000, totalMs: 5000 })
  const trust = { verify: async () => {} }
  const clockCheck = { verify: () => {}, words: () => 'the clock is right' }
  const catalogue = { current: () => view, atLeast: async () => view }
  // No contracts: grants decide.
  const contracts = {
    ...createContracts({ agreedFor: () => [], byDigest: () => undefined }),
    lookFor: () => Promise.resolve(),
  }
  const common = { clock: () => NOW, clockCheck, catalogue, trust, bodies, contracts }
  const scope = new AsyncDisposableStack()
  const sent: OutgoingRequest[] = []
  const called: string[] = []

  const received = (message: OutgoingRequest, changes: Partial<Received> = {}): Received => ({
    exchangeId: ID,
    receivedAt: NOW,
    method: message.method,
    rawTarget: message.target,
    rawHeaders: [
      ...[...toRawHeaders(message.headers), 'spean-manifest', message.manifest],
      ...(message.userToken === undefined ? [] : ['Spean-User-Token', message.userToken]),
    ],
    stream: message.body.open(),
    certificate: shown.der,
    scope,
    ...changes,
  })
  const provider = sideOf<ProviderGateway>({
    ...common,
    id: readGatewayId(`${REGISTRY}/REG-1`),
    signer: createSigner(credentialsOf([registry])),
    replayGuard: createReplayGuard([], NOW),
    quotas: { take: async () => {} },
    userTokens: { verify: async () => {} },
    accessRules: {
      grantsFor: (service, [subject = '']) => [
        {
          id: 'g-1',
          subject,
          service,
          endpoints: [{ method: '*', path: '/**' }],
          grantedAt: NOW,
        },
      ],
    },
    validation: {
      request: async () => undefined,
      answer: async ({ answer }) => ({ answer, findings: undefined }),
    },
    services: {
      call: async ({ request, target }) => {
        called.push(`${request.method} ${target.servicePath}`)
        return { status: 200, headers: [['content-type', 'text/plain']], body: textBody('answer') }
      },
    },
  })
  const client = sideOf<ClientGateway>({
    ...common,
    id: readGatewayId(`${BANK}/BANK-1`),
    signer: createSigner(credentialsOf([bank])),
    informationSystems: { isRegistered: () => false },
    authentication: { verifyActive: () => {} },
    peers: {
      send: async (_gateway, message): Promise<Reply> => {
        sent.push(message)
        const { answer, responseJws } = await serveExchange(received(message), provider.gw)
        return {
          status: answer.status,
          rawHeaders: [...toRawHeaders(answer.headers), 'spean-manifest', responseJws],
          stream: answer.body.open(),
        }
      },
    },
  })
  const asked = ({ rawHeaders, ...changes }: Partial<Asked> = {}): Asked => ({
    exchangeId: ID,
    receivedAt: NOW,
    method: 'POST',
    rawTarget: `/r1/${SERVICE}/persons/1`,
    rawHeaders: ['Host', 'gateway', ...(rawHeaders ?? OWN_HEADERS)],
    stream: Readable.from([Buffer.from('the body')], { objectMode: false }),
    certificate: undefined,
    scope,
    overTls: false,
    ...changes,
  })
  const keys = { bank, registry }
  return { authority, snapshot, view, keys, client, provider, sent, called, asked, received }
}

function sideOf<G extends ClientGateway | ProviderGateway>(gw: Omit<G, 'log' | 'begin'>): Side<G> {
  const ran: string[] = []
  const log: ExchangeEntry[] = []
  const begin = (incoming: Pick<Incoming, 'exchangeId'>): StepRunner => {
    const step = createStepRunner(incoming, silent)
    const run = <T>(name: string, body: () => Promise<T> | T): Promise<T> => {
      ran.push(name)
      return step(name, body)
    }
    return Object.defineProperty(run, 'known', { get: () => step.known }) as unknown as StepRunner
  }
  const record = async (entry: ExchangeEntry): Promise<number> => log.push(entry)
  const recordStranger = async (entry: ExchangeEntry): Promise<void> => void log.push(entry)
  return { gw: { ...gw, log: { record, recordStranger }, begin } as unknown as G, ran, log }
}

export function textBody(text: string): SpooledBody {
  const bytes = Buffer.from(text)
  const digest = createHash('sha256').update(bytes).digest('base64url')
  return { ...EMPTY_BODY, size: bytes.length, digest, bytes, open: () => Readable.from([bytes]) }
}

/** Credentials without files. */
export function credentialsOf(
  all: readonly Credential[],
  known = knowledgeOf(`${BANK}/BANK-1`),
): Credentials {
  return createCredentials({
    known,
    store: { all: () => all, of: (slot) => all.filter((one) => isOfSlot(one, slot)) },
    clock: () => NOW,
  })
}

export function credentialOf(
  member: string,
  key: SigningKey,
  { pem }: Credential['certificate'],
): Credential {
  const parts = { kind: 'signing', owner: member, key, keyReference: '', chain: pem } as const
  return createCredential(parts)!
}

async function signingKey(
  authority: TestAuthority,
  memberClass: string,
  member: string,
): Promise<Credential> {
  const key = await generateKey('P-256')
  const subject = subjectOf({ instance: 'KH-TEST', memberClass, member })
  const { publicKey } = key
  // A while ago, so that it can sign in the past.
  const at = later(-1)
  const certificate = await authority.issue({ profile: 'signing', publicKey, subject, at })
  return credentialOf(`KH-TEST/${memberClass}/${member}`, key, certificate)
}

async function gatewayCertificate(
  authority: TestAuthority,
  memberClass: string,
  member: string,
  gateway: string,
): Promise<Credential['certificate']> {
  const { publicKey } = await generateKey('P-256')
  const subject = subjectOf({ instance: 'KH-TEST', memberClass, member, gateway })
  return authority.issue({ profile: 'authentication', publicKey, subject })
}

function snapshotOf(
  { root, issuing }: TestAuthority,
  own: {
    bank: Credential
    registry: Credential
    bankGateway: Credential['certificate']
    registryGateway: Credential['certificate']
  },
): Snapshot {
  const base64 = ({ der }: Credential['certificate']): string => der.toString('base64')
  return {
    version: 1,
    instance: 'KH-TEST',
    number: 7,
    issuedAt: NOW.toISOString(),
    expiresAt: new Date(NOW.getTime() + 86_400_000).toISOString(),
    authorities: [
      { name: 'test', certificates: [root, issuing].map((a) => base64(a.certificate)) },
    ],
    members: [
      {
        id: BANK,
        name: 'Bank',
        signingCertificates: [base64(own.bank.certificate)],
        subsystems: [
          { code: 'KYC', name: 'Customers', services: [] },
          { code: 'ELSEWHERE', name: 'Served by no gateway', services: [] },
        ],
      },
      {
        id: REGISTRY,
        name: 'Registry',
        signingCertificates: [base64(own.registry.certificate)],
        subsystems: [
          {
            code: 'POP',
            name: 'Population',
            services: [{ code: 'echo', title: 'Echo', type: 'REST', endpoints: [] }],
          },
          {
            code: 'UNSERVED',
            name: 'Of no gateway',
            services: [{ code: 'echo', title: 'Echo', type: 'REST', endpoints: [] }],
          },
        ],
      },
    ],
    gateways: [
      {
        id: `${BANK}/BANK-1`,
        address: 'https://127.0.0.1:5501',
        certificates: [base64(own.bankGateway)],
        clients: [CLIENT, BANK],
      },
      {
        id: `${REGISTRY}/REG-1`,
        address: 'https://127.0.0.1:5502',
        certificates: [base64(own.registryGateway)],
        clients: [`${REGISTRY}/POP`],
      },
      {
        id: `${REGISTRY}/REG-2`,
        address: 'https://127.0.0.1:5503',
        certificates: [],
        clients: [`${REGISTRY}/POP`],
      },
    ],
    groups: [
      { code: 'banks', title: 'Banks', members: [CLIENT] },
      { code: 'members', title: 'Members', members: [BANK, REGISTRY] },
    ],
  }
}
