/**
 * What the adapter answers when it refuses. These codes belong to the service that the adapter is,
 * not to the protocol between gateways: a gateway hands them on as any other answer of a service.
 */
const REFUSALS = {
  'row.unknown': { status: 404, title: 'No row has this key' },
  'path.unknown': { status: 404, title: 'Nothing is served at this path' },
  'path.malformed': { status: 400, title: 'Path is not valid percent-encoded UTF-8' },
  'method.unsupported': { status: 405, title: 'Only GET and HEAD are served' },
  'target.too-long': { status: 414, title: 'URL is longer than 8192 bytes' },
  'query.malformed': { status: 400, title: 'Query is not valid percent-encoded UTF-8' },
  'query.column-unknown': { status: 400, title: 'No column has this name' },
  'query.parameter-repeated': { status: 400, title: 'A parameter is given more than once' },
  'query.limit-invalid': { status: 400, title: 'limit is not a number from 1 to 1000' },
  'cursor.malformed': { status: 400, title: 'Cursor was not given out here' },
  'cursor.outdated': { status: 410, title: 'The file has changed since the cursor was given out' },
  internal: { status: 500, title: 'Internal error' },
} as const satisfies Record<string, { status: number; title: string }>

export type RefusalCode = keyof typeof REFUSALS

/** Thrown on purpose while a request is read or answered; anything else leaves as `internal`. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
  readonly code: RefusalCode
  readonly members: Readonly<Record<string, unknown>>

  /**
   * @param detail one sentence the caller may read.
   * @param members extension members of the problem document (RFC 9457 §3.2).
   */
  constructor(code: RefusalCode, detail: string, members: Record<string, unknown> = {}) {
    super(detail)
    this.code = code
    this.members = members
  }
}

/** RFC 9457 problem document, with the code as an extension member. */
export interface CsvProblem {
  readonly type: `urn:spean:csv-adapter:${RefusalCode}`
  readonly title: string
  readonly status: number
  readonly detail?: string
  readonly code: RefusalCode
}

/** What the caller may see of an error: nothing of one that was not thrown on purpose. */
export function toCsvProblem(error: unknown): CsvProblem {
  const code = error instanceof Refusal ? error.code : 'internal'
  const known = error instanceof Refusal ? { detail: error.message, ...error.members } : {}
  return { type: `urn:spean:csv-adapter:${code}`, ...REFUSALS[code], ...known, code }
}
