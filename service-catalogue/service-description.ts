import { createHash } from 'node:crypto'
import type { Endpoint } from '../protocol/snapshot.ts'
import { MAX_DESCRIPTION_BYTES, readDescription as readOpenApi } from '../openapi/description.ts'
import { DescriptionError } from '../openapi/faults.ts'
import { invalid } from './input.ts'

/** An OpenAPI document as it is served, and what it offers. */
export interface ServiceDescription {
  readonly bytes: Buffer
  /** SHA-256 of the bytes, base64url. */
  readonly digest: string
  readonly endpoints: Endpoint[]
}

/**
 * Reads an OpenAPI 3.0 or 3.1 document as every gateway will, so that what is published can be enforced.
 *
 * @throws ExchangeError `admin.invalid` naming each place and what to write there.
 */
export async function readDescription(
  document: Readonly<Record<string, unknown>>,
): Promise<ServiceDescription> {
  const endpoints = await readOpenApi(document).then(
    (description) => [...description.endpoints],
    (error: unknown) => {
      throw error instanceof DescriptionError ? refusal(error) : error
    },
  )
  const bytes = toBytes(document)
  if (bytes.length > MAX_DESCRIPTION_BYTES) {
    throw invalid('description', `it is larger than ${MAX_DESCRIPTION_BYTES} bytes`)
  }
  return { bytes, digest: createHash('sha256').update(bytes).digest('base64url'), endpoints }
}

/** Every fault in one answer: the owner corrects them together. */
function refusal(error: DescriptionError): Error {
  const [first, ...others] = error.faults.map(({ pointer, text }) => [pointer, text] as const)
  const [pointer = '', text = ''] = first ?? []
  const more = others.map(([place, fault]) => `; description${place}: ${fault}`)
  const untold = error.total - error.faults.length
  const rest = untold > 0 ? `; and ${untold} more` : ''
  return invalid(`description${pointer}`, text + more.join('') + rest, error)
}

function toBytes(document: object): Buffer {
  try {
    return Buffer.from(JSON.stringify(document))
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw invalid('description', 'it is nested too deeply', error)
  }
}
