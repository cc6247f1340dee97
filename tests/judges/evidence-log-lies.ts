/** Lies about records, tree, witnesses, time and content; and files that were altered in true evidence. */
import type { ExchangeDescription } from '../../exchange-log/evidence/layout.ts'
import type { LogRecord } from '../../exchange-log/record.ts'
import { createTestAuthority } from '../pki/support.ts'
import { AT, FIRST, seconds } from './evidence-truth.ts'
import type { Lie } from './evidence-lies.ts'

const record = (of: 'request' | 'response', change: Partial<LogRecord>): Lie['lies'] => {
  return () => ({ record: (part, says) => (part === of ? { ...says, ...change } : says) })
}
const description = (
  change: (description: ExchangeDescription) => Partial<ExchangeDescription>,
): Lie['lies'] => {
  return () => ({ description: (true_) => ({ ...true_, ...change(true_) }) })
}
const other = '01a20dd6-3821-7958-81ad-000000000000'
const erasure = (...positions: [number, number][]): LogRecord => ({
  ...{ exchangeId: other, kind: 'erasure', at: seconds(0.6), recordedAt: seconds(0.6) },
  ...{ actor: 'retention', detail: JSON.stringify({ positions, reason: 'retention' }) },
})
const gone = (...names: string[]) =>
  names.map((what) => ({ what, reason: 'erased', detail: 'it was erased' }) as const)

export const LOG_LIES: readonly Lie[] = [
  ...(
    [
      ['request', { client: 'KH-TEST/COM/OTHER/X' }],
      ['request', { service: 'KH-TEST/GOV/REG/POP/other' }],
      ['request', { userId: 'KH9999' }],
      ['request', { target: '/r1/KH-TEST/GOV/REG/POP/echo/secrets' }],
      ['request', { method: 'GET' }],
      ['request', { purpose: 'a purpose that nobody signed' }],
      ['request', { issue: 'CASE-1' }],
      ['request', { bodyBytes: 1 }],
      ['request', { messageId: 'KH-TEST-2' }],
      ['request', { exchangeId: other }],
      ['request', { side: 'provider' }],
      ['request', { kind: 'response' }],
      ['request', { begunAt: 1 }],
      ['response', { status: 500 }],
      ['response', { begunAt: FIRST - 1 }],
      ['response', { side: 'provider' }],
      ['response', { exchangeId: other }],
      ['response', { manifest: 'e30.e30.e30' }],
    ] as const
  ).map(([of, change]): Lie => ({
    name: `the record of the ${of} says ${Object.keys(change).join()} ${String(Object.values(change)[0])}`,
    // Who did it by that is told first.
    code: 'evidence.record-altered',
    lies: record(of, change),
  })),
  {
    name: 'the records are of another log',
    code: 'evidence.policy-unknown',
    isOfKeys: true,
    lies: (world) => ({ log: world.logKey('spean/KH-TEST/COM/EVIL/EVIL-1/log') }),
  },
  {
    name: 'the records are of a log of the same name with another key',
    code: 'evidence.checkpoint-invalid',
    isOfKeys: true,
    lies: (world) => ({ log: world.logKey('spean/KH-TEST/COM/BANK/BANK-1/log') }),
  },
  {
    name: 'the checkpoint is signed by another key than that of the policy',
    code: 'evidence.checkpoint-invalid',
    lies: (world) => {
      const log = world.logKey('spean/KH-TEST/COM/BANK/BANK-1/log')
      const line = (policy: string) => policy.split('\n')[0]!
      return { log, policy: (policy) => policy.replace(line(policy), `log ${world.vkey()}`) }
    },
  },
  {
    name: 'the checkpoint has another root',
    code: 'evidence.proof-invalid',
    lies: () => ({
      checkpoint: (text) =>
        text.replace(/\n[^\n]+\n$/, `\n${Buffer.alloc(32).toString('base64')}\n`),
    }),
  },
  {
    name: 'the checkpoint is of a smaller tree',
    code: 'evidence.description-wrong',
    lies: () => ({ checkpoint: (text) => text.replace(/\n\d+\n/, `\n${FIRST}\n`) }),
  },
  {
    name: 'the tree has another record at that place',
    code: 'evidence.proof-invalid',
    lies: () => ({ leaf: (part, leaf) => (part === 'response' ? Buffer.alloc(32, 7) : leaf) }),
  },
  {
    name: 'the proof is about another place',
    code: 'evidence.proof-invalid',
    lies: () => ({ proof: (_, proof) => proof.replace(/index \d+/, 'index 1') }),
  },
  {
    name: 'the proof is one hash shorter',
    code: 'evidence.proof-invalid',
    lies: () => ({ proof: (_, proof) => proof.replace(/(index \d+\n)[^\n]+\n/, '$1') }),
  },
  {
    name: 'the proof has another checkpoint with it',
    code: 'evidence.proof-invalid',
    lies: () => ({ proof: (_, proof) => proof.split('\n').slice(0, -2).join('\n') + '\n' }),
  },
  {
    name: 'the policy asks for no witnesses',
    code: 'evidence.policy-unknown',
    isOfKeys: true,
    lies: () => ({
      cosigners: 0,
      policy: (policy) => policy.replace('quorum most', 'quorum none'),
    }),
  },
  { name: 'one witness cosigned', code: 'evidence.policy-unknown', lies: () => ({ cosigners: 1 }) },
  {
    name: 'the witnesses cosigned another checkpoint',
    code: 'evidence.checkpoint-invalid',
    lies: () => ({ cosigned: (text) => text.replace(/\n\d+\n/, '\n9999\n') }),
  },
  {
    name: 'the time-stamp is about another checkpoint',
    code: 'evidence.time-stamp-invalid',
    lies: () => ({ stampedText: (text) => text.replace(/\n\d+\n/, '\n9999\n') }),
  },
  {
    name: 'the time-stamp is older than the records',
    code: 'evidence.times-contradict',
    lies: () => ({ stampedAt: new Date(AT.getTime() - 3_600_000) }),
  },
  {
    name: 'the time-stamp of the signature is about another one',
    code: 'evidence.time-stamp-invalid',
    lies: () => ({ liftedText: (signature) => `${signature}x` }),
  },
  {
    name: 'the time-stamp of the signature is older than it',
    code: 'evidence.times-contradict',
    lies: () => ({ liftedAt: seconds(-3600) }),
  },
  {
    name: 'who stamped had been revoked',
    code: 'evidence.certificate-revoked',
    lies: async (world) => {
      const revoked = {
        status: 'revoked',
        revokedAt: seconds(-60),
        reason: 'keyCompromise',
      } as const
      const ocsp = new Map([[0, await world.state(world.tsa, revoked)]])
      return { chain: (chain) => (chain.name === 'time-stamp' ? { ...chain, ocsp } : chain) }
    },
  },
  {
    name: 'an authority of the same name issued the certificate of who stamped',
    code: 'evidence.certificate-untrusted',
    lies: async (world) => {
      const { issuing } = await createTestAuthority()
      const above = [issuing.certificate.der, world.authority.root.certificate.der]
      return {
        chain: (chain) =>
          chain.name === 'time-stamp'
            ? { ...chain, certificates: [chain.certificates[0]!, ...above] }
            : chain,
      }
    },
  },
  ...(
    [
      ['client', () => ({ client: 'KH-TEST/COM/OTHER/X' })],
      ['service', () => ({ service: 'KH-TEST/GOV/REG/POP/other' })],
      ['peer', () => ({ peer: 'KH-TEST/GOV/REG/REG-1' })],
      ['log', () => ({ origin: 'spean/KH-TEST/COM/BANK/BANK-1/log2' })],
      [
        'time',
        ({ records }) => ({
          records: records.map((one) => ({ ...one, at: AT.toISOString().replace('250Z', '251Z') })),
        }),
      ],
      [
        'time of recording',
        ({ records }) => ({
          records: records.map((one) => ({
            ...one,
            recordedAt: new Date(Date.parse(one.recordedAt) + 1).toISOString(),
          })),
        }),
      ],
      ['rule', ({ records }) => ({ records: records.map((one) => ({ ...one, kept: 'none' })) })],
      ['size of the tree', ({ checkpoint }) => ({ checkpoint: { ...checkpoint!, size: 3 } })],
      [
        'time of the time-stamp',
        ({ timeStamp }) => ({ timeStamp: { ...timeStamp!, genTime: '2020-01-01T00:00:00.000Z' } }),
      ],
      [
        'serial number of the time-stamp',
        ({ timeStamp }) => ({ timeStamp: { ...timeStamp!, serial: '1' } }),
      ],
      ['level of a signature', () => ({ jades: { request: 'B-T', response: 'B-T' } })],
      ['absent file, which is here', () => ({ absent: gone('request/body') })],
    ] as const satisfies [string, (d: ExchangeDescription) => Partial<ExchangeDescription>][]
  ).map(([what, change]): Lie => ({
    name: `exchange.json has another ${what}`,
    code: 'evidence.description-wrong',
    lies: description(change),
  })),
  {
    name: 'the body is said to be erased, and nothing erased it',
    code: 'evidence.description-wrong',
    lies: () => ({
      body: () => undefined,
      description: (of) => ({ ...of, absent: gone('request/body', 'response/body') }),
    }),
  },
  {
    name: 'the body is said to be erased by what erased another one',
    code: 'evidence.description-wrong',
    lies: () => ({
      body: () => undefined,
      events: [erasure([FIRST, FIRST])],
      description: (of) => ({ ...of, absent: gone('request/body', 'response/body') }),
    }),
  },
  {
    name: 'an erasure stands with it that erased nothing of it',
    code: 'evidence.record-altered',
    lies: () => ({ events: [erasure([1, 2])] }),
  },
  {
    name: 'the body is said not to be kept, and the record says that it was',
    code: 'evidence.description-wrong',
    lies: () => ({
      body: () => undefined,
      description: (of) => ({
        ...of,
        absent: gone('request/body', 'response/body').map((one) => ({
          ...one,
          reason: 'not-kept',
        })),
      }),
    }),
  },
  {
    name: 'the body is not there, and nothing is said',
    code: 'evidence.file-missing',
    lies: () => ({ body: () => undefined }),
  },
]

/** Content that was erased, and the events that did it: retention erases many exchanges at once. */
export const ERASED: readonly Omit<Lie, 'code'>[] = [
  { name: 'by one event', events: [erasure([1, 90])] },
  { name: 'by two events', events: [erasure([1, FIRST]), erasure([FIRST + 1, FIRST + 9])] },
].map(({ name, events }) => ({
  name: `all of its content was erased ${name}`,
  lies: () => ({
    events,
    headers: () => undefined,
    body: () => undefined,
    description: (of: ExchangeDescription) => ({
      ...of,
      absent: gone('request/headers', 'request/body', 'response/headers', 'response/body'),
    }),
  }),
}))
