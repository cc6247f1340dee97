/** Lies about records, tree, witnesses, time and content; and files that were altered in true evidence. */
import type { EvidenceErrorCode } from '../../exchange-log/evidence/evidence-errors.ts'
import type { ExchangeDescription } from '../../exchange-log/evidence/layout.ts'
import type { LogRecord } from '../../exchange-log/record.ts'
import { DAY_MS } from '../pki/support.ts'
import { AT, FIRST, seconds } from './evidence-forger.ts'
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
    name: 'who stamped was no authority by then',
    code: 'evidence.certificate-untrusted',
    lies: () => ({ stampedAt: new Date(AT.getTime() + 11 * 365 * DAY_MS) }),
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
          records: records.map((one) => ({ ...one, recordedAt: '2020-01-01T00:00:00.000Z' })),
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
      ['level of a signature', () => ({ jades: { request: 'B-B', response: 'B-B' } })],
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

type Files = ReadonlyMap<string, Buffer>
export interface Alteration {
  readonly name: string
  readonly code: EvidenceErrorCode
  readonly alter: (files: Files) => Files
}

const JADES = 'request/manifest.jades.json'
interface Jades {
  payload: string
  protected: string
  signature: string
  header: { etsiU: string[] }
}
const component = (value: object): string =>
  Buffer.from(JSON.stringify(value)).toString('base64url')
const jades =
  (change: (jades: Jades, files: Files) => object) =>
  (files: Files): Files => {
    const value = JSON.parse(files.get(JADES)!.toString()) as Jades
    const text = `${JSON.stringify({ ...value, ...change(value, files) }, undefined, 1)}\n`
    return new Map([...files, [JADES, Buffer.from(text)]])
  }
const items =
  (change: (items: string[], files: Files) => string[]): Alteration['alter'] =>
  (files) =>
    jades(({ header }, all) => ({ header: { etsiU: change(header.etsiU, all) } }))(files)
const swapped = (one: string, with_: string): Alteration['alter'] => {
  return (files) => new Map([...files, [one, files.get(with_)!]])
}
const opened = (item: string): object =>
  JSON.parse(Buffer.from(item, 'base64url').toString()) as object

export const ALTERATIONS: readonly Alteration[] = [
  ...(
    [
      [
        'another payload',
        jades((_, files) => ({
          payload: files.get('response/manifest.jws')!.toString().split('.')[1],
        })),
      ],
      [
        'another protected header',
        jades((_, files) => ({
          protected: files.get('response/manifest.jws')!.toString().split('.')[0],
        })),
      ],
      [
        'another signature',
        jades((_, files) => ({
          signature: files.get('response/manifest.jws')!.toString().split('.')[2],
        })),
      ],
      ['another member', jades(() => ({ comment: 'signed by the king' }))],
      [
        'a second unprotected member',
        jades(({ header }) => ({ header: { ...header, sigT: '2020-01-01T00:00:00Z' } })),
      ],
      ['no validation data', items(() => [])],
      ['no certificates', items(([sigTst, , rVals]) => [sigTst!, rVals!])],
      ['no answers', items(([sigTst, xVals]) => [sigTst!, xVals!])],
      ['no time-stamp', items(([, ...others]) => others)],
      ['a component twice', items(([sigTst, ...others]) => [sigTst!, sigTst!, ...others])],
      ['an unknown component', items((all) => [...all, component({ sigPSt: { policy: 'none' } })])],
      [
        'a component with two members',
        items(([sigTst, xVals, rVals]) => [
          sigTst!,
          xVals!,
          component({ ...opened(rVals!), x: 1 }),
        ]),
      ],
      [
        'another answer',
        items(([sigTst, xVals]) => [
          sigTst!,
          xVals!,
          component({ rVals: { ocspVals: [{ val: 'AAAA' }] } }),
        ]),
      ],
      [
        'a certificate of its own',
        items(([sigTst, , rVals]) => [
          sigTst!,
          component({ xVals: [{ x509Cert: { val: 'AAAA' } }] }),
          rVals!,
        ]),
      ],
    ] as const
  ).map(([what, alter]): Alteration => ({
    name: `the JAdES has ${what}`,
    code: 'evidence.jades-altered',
    alter,
  })),
  {
    name: 'the JAdES has its payload twice',
    code: 'evidence.jades-altered',
    alter: (files) => {
      const text = files.get(JADES)!.toString().replace('{\n', '{\n "payload": "e30",\n')
      return new Map([...files, [JADES, Buffer.from(text)]])
    },
  },
  {
    name: 'exchange.json has a member twice',
    code: 'evidence.malformed',
    alter: (files) => {
      const text = files
        .get('exchange.json')!
        .toString()
        .replace('{\n', '{\n  "client": "KH/X/Y/Z",\n')
      return new Map([...files, ['exchange.json', Buffer.from(text)]])
    },
  },
  {
    name: 'the bodies are swapped',
    code: 'evidence.message-altered',
    alter: (files) => swapped('request/body', 'response/body')(files),
  },
  {
    name: 'the salt is of the other record',
    code: 'evidence.proof-invalid',
    alter: swapped('request/salt', 'response/salt'),
  },
  {
    name: 'the proof is of the other record',
    code: 'evidence.proof-invalid',
    alter: swapped('request/proof.tlog-proof', 'response/proof.tlog-proof'),
  },
  {
    name: 'the record is the other one',
    code: 'evidence.record-altered',
    alter: swapped('request/record.json', 'response/record.json'),
  },
  {
    name: 'the manifest is the other one',
    code: 'evidence.malformed',
    alter: swapped('request/manifest.jws', 'response/manifest.jws'),
  },
  {
    name: 'the certificates are of the other signer',
    code: 'evidence.certificate-untrusted',
    alter: swapped('certificates/request-signer.pem', 'certificates/response-signer.pem'),
  },
  {
    name: 'the answer is about the other signer',
    code: 'evidence.certificate-revoked',
    alter: swapped('ocsp/request-signer.der', 'ocsp/response-signer.der'),
  },
  {
    name: 'the time-stamp is that of a signature',
    code: 'evidence.time-stamp-invalid',
    alter: (files) => {
      const [item = ''] = (JSON.parse(files.get(JADES)!.toString()) as Jades).header.etsiU
      const { sigTst } = opened(item) as { sigTst: { tstTokens: { val: string }[] } }
      return new Map([
        ...files,
        ['time-stamp.tst', Buffer.from(sigTst.tstTokens[0]!.val, 'base64')],
      ])
    },
  },
  {
    name: 'a comment stands in the certificates',
    code: 'evidence.malformed',
    alter: (files) =>
      new Map([
        ...files,
        [
          'certificates/request-signer.pem',
          Buffer.concat([
            Buffer.from('# of the king\n'),
            files.get('certificates/request-signer.pem')!,
          ]),
        ],
      ]),
  },
  {
    name: 'a record lies beside that nothing proves',
    code: 'evidence.file-extra',
    alter: (files) =>
      new Map([...files, ['refusal/record.json', files.get('request/record.json')!]]),
  },
  {
    name: 'an answer lies beside that is about nothing here',
    code: 'evidence.file-extra',
    alter: (files) =>
      new Map([...files, ['ocsp/request-signer.2.der', files.get('ocsp/request-signer.der')!]]),
  },
  {
    name: 'an answer about the issuing authority is about somebody else',
    code: 'evidence.certificate-revoked',
    alter: (files) =>
      new Map([...files, ['ocsp/request-signer.1.der', files.get('ocsp/request-signer.der')!]]),
  },
]
