/** Files that were altered in true evidence, with SHA256SUMS made to fit. */
import type { EvidenceErrorCode } from '../../exchange-log/evidence/evidence-errors.ts'

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
      [
        'a line break in an answer',
        items(([sigTst, xVals, rVals]) => {
          const { ocspVals } = (opened(rVals!) as { rVals: { ocspVals: { val: string }[] } }).rVals
          const broken = ocspVals.map(({ val }) => ({ val: `${val}\n` }))
          return [sigTst!, xVals!, component({ rVals: { ocspVals: broken } })]
        }),
      ],
      [
        'a member beside an answer',
        items(([sigTst, xVals, rVals]) => {
          const { ocspVals } = (opened(rVals!) as { rVals: { ocspVals: { val: string }[] } }).rVals
          const more = ocspVals.map((one) => ({ ...one, enc: 'DER' }))
          return [sigTst!, xVals!, component({ rVals: { ocspVals: more } })]
        }),
      ],
      [
        'two time-stamps',
        items(([sigTst, ...others]) => {
          const { tstTokens } = (opened(sigTst!) as { sigTst: { tstTokens: object[] } }).sigTst
          const both = { tstTokens: [...tstTokens, ...tstTokens] }
          return [component({ sigTst: both }), ...others]
        }),
      ],
      [
        'a component with a member twice',
        items(([sigTst, xVals, rVals]) => {
          const text = Buffer.from(rVals!, 'base64url').toString()
          const twice = text.replace('{', '{"rVals":{},')
          return [sigTst!, xVals!, Buffer.from(twice).toString('base64url')]
        }),
      ],
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
