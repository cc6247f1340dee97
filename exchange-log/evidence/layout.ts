/** The names in an evidence archive (protocol/README.md §12.6). */

/** Parts that are records of the log, each in a folder of its name. */
export const PARTS = ['request', 'response', 'refusal', 'erasure', 'erasure-2'] as const
export type PartName = (typeof PARTS)[number]
/** Events that erased what is not here any more; two when request and response were not erased by the same. */
export const ERASURES = ['erasure', 'erasure-2'] as const satisfies readonly PartName[]
export const isErasure = (part: PartName): boolean => ERASURES.some((one) => one === part)
/** Parts that are signed messages. */
export const MESSAGES = ['request', 'response'] as const
export type MessageName = (typeof MESSAGES)[number]
/** Whose certificates are there: signers', and of who stamped a signature, or the checkpoint. */
export const CHAINS = [
  'request-signer',
  'request-stamp',
  'response-signer',
  'response-stamp',
  'time-stamp',
] as const
export type ChainName = (typeof CHAINS)[number]

export const FILE = {
  verify: 'VERIFY.md',
  sums: 'SHA256SUMS',
  exchange: 'exchange.json',
  checkpoint: 'checkpoint',
  timeStamp: 'time-stamp.tst',
  policy: 'policy',
} as const

export const recordFile = (part: PartName): string => `${part}/record.json`
export const saltFile = (part: PartName): string => `${part}/salt`
export const proofFile = (part: PartName): string => `${part}/proof.tlog-proof`
export const manifestFile = (part: MessageName): string => `${part}/manifest.jws`
export const jadesFile = (part: MessageName): string => `${part}/manifest.jades.json`
export const headersFile = (part: MessageName): string => `${part}/headers`
export const bodyFile = (part: MessageName): string => `${part}/body`
/** PEM, leaf first, root last. */
export const chainFile = (chain: ChainName): string => `certificates/${chain}.pem`
/** @param place in the chain; 0 for the leaf. */
export const ocspFile = (chain: ChainName, place: number): string =>
  `ocsp/${chain}${place === 0 ? '' : `.${place}`}.der`

/** Certificates of a chain, leaf and root included; no path has more (pki/path.ts). */
export const MOST_CERTIFICATES = 6

/** Every name that there can be. */
export const ALL_FILES: ReadonlySet<string> = new Set([
  ...Object.values(FILE),
  ...PARTS.flatMap((part) => [recordFile(part), saltFile(part), proofFile(part)]),
  ...MESSAGES.flatMap((part) => [
    manifestFile(part),
    jadesFile(part),
    headersFile(part),
    bodyFile(part),
  ]),
  ...CHAINS.flatMap((chain) => [
    chainFile(chain),
    ...Array.from({ length: MOST_CERTIFICATES }, (_, place) => ocspFile(chain, place)),
  ]),
])

/** Why something is not in the archive. */
export type AbsenceReason =
  /** The service's rule keeps no header blocks, or no bodies. */
  | 'not-kept'
  /** Erased after its time, or because somebody had it erased. */
  | 'erased'
  /** What is kept is not what was signed: it was altered in the gateway's storage. */
  | 'altered'
  /** Not there yet, or lost. */
  | 'missing'

export interface Absence {
  /** A name of a file, or `cosignatures`. */
  readonly what: string
  readonly reason: AbsenceReason
  readonly detail: string
}

/** What is missing though it belongs to the evidence; what was erased or never kept does not make it incomplete. */
export function incompleteness(absent: readonly Absence[]): Absence[] {
  return absent.filter(({ what, reason }) => {
    if (what.endsWith('.jades.json')) return false // the manifest is there, signed as it is
    return reason === 'missing' || reason === 'altered'
  })
}

/** `exchange.json`. */
export interface ExchangeDescription {
  readonly version: 1
  readonly exchangeId: string
  /** Of the log that the records are from. */
  readonly origin: string
  readonly side: 'client' | 'provider'
  readonly client?: string
  readonly service?: string
  readonly peer?: string
  readonly madeAt: string
  readonly records: readonly {
    readonly part: PartName
    readonly position: number
    readonly at: string
    readonly recordedAt: string
    readonly kept?: string
  }[]
  readonly checkpoint?: {
    readonly size: number
    readonly at: string
    readonly witnessedAt?: string
  }
  readonly timeStamp?: {
    readonly authority: string
    readonly genTime: string
    readonly serial: string
  }
  /** JAdES baseline level of each lifted signature (ETSI TS 119 182-1 §6). */
  readonly jades: Readonly<Partial<Record<MessageName, 'B-B' | 'B-T' | 'B-LT'>>>
  readonly absent: readonly Absence[]
  /** Further records of this exchange id, which are not proved here. */
  readonly others: readonly {
    readonly position: number
    readonly kind: string
    readonly side?: string
    readonly at: string
  }[]
}
