import { ExchangeError } from '../../protocol/errors.ts'
import { readDescription, type Description } from '../../openapi/description.ts'
import { DescriptionError } from '../../openapi/faults.ts'
import type { Logger } from '../../runtime/logger.ts'

/** Compiled descriptions, by the digest that the snapshot names. */
export interface Descriptions {
  /**
   * The description, compiled once: before the first call when a snapshot brought it.
   *
   * @throws ExchangeError `catalogue.unavailable`, `service.description-missing` also when it cannot be used.
   */
  get(digest: string): Promise<Description>
  /** Compiles those that are not yet, one after the other, as many as are kept. */
  prepare(digests: Iterable<string>): Promise<void>
}

/** Compiled descriptions take a few megabytes each. */
const MAX_KEPT = 200

/** @param deps.fetch a description's bytes, which are what their digest says. */
export function createDescriptions(deps: {
  readonly fetch: (digest: string) => Promise<Buffer>
  readonly logger: Logger
  readonly maxKept?: number
}): Descriptions {
  const { fetch, logger, maxKept = MAX_KEPT } = deps
  /** The one that was used last stands last. */
  const kept = new Map<string, Promise<Description>>()
  const get = (digest: string): Promise<Description> => {
    const known = kept.get(digest)
    const description = known ?? compile(digest, fetch)
    kept.delete(digest)
    kept.set(digest, description)
    const [oldest] = kept.keys()
    if (kept.size > maxKept && oldest !== undefined) kept.delete(oldest)
    if (known === undefined) description.catch((error: unknown) => failed(digest, error))
    return description
  }
  const failed = (digest: string, error: unknown): void => {
    logger.warn({ err: error, digest }, 'a description cannot be used')
    // What is wrong with it stays wrong; that it could not be fetched may pass.
    const isLasting = error instanceof ExchangeError && error.cause instanceof DescriptionError
    if (!isLasting) kept.delete(digest)
  }
  return {
    get,
    prepare: async (digests) => {
      for (const digest of [...new Set(digests)].slice(0, maxKept)) {
        await get(digest).catch(() => undefined) // told already; calls are refused with the reason
      }
    },
  }
}

async function compile(
  digest: string,
  fetch: (digest: string) => Promise<Buffer>,
): Promise<Description> {
  const bytes = await fetch(digest)
  try {
    return await readDescription(JSON.parse(bytes.toString('utf8')))
  } catch (cause) {
    const known = cause instanceof DescriptionError || cause instanceof SyntaxError
    if (!known) throw cause
    const detail = 'the description of the service cannot be used: its owner must publish it again'
    throw new ExchangeError('service.description-missing', detail, { cause })
  }
}
