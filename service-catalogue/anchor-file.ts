import { readFileSync } from 'node:fs'
import { CertificateError, parseCertificates, type Certificate } from '../pki/certificate.ts'
import type { NumberedAnchor } from '../protocol/anchor-statement.ts'
import type { Anchor } from '../protocol/snapshot.ts'
import type { Clock } from '../runtime/clock.ts'
import { ExchangeError } from '../protocol/errors.ts'
import { ConfigError } from '../runtime/config.ts'
import type { Logger } from '../runtime/logger.ts'
import { writeFileAtomically } from '../runtime/private-file.ts'
import { approvedAuthorities } from './approved-authorities.ts'
import type { Database } from '../runtime/sqlite-database.ts'
import { rootsFault } from './anchor-roots.ts'
import { createFileWatch } from './file-watch.ts'
import { anchorSigner, type RingKey } from './key-ring.ts'
import type { SnapshotKeys } from './snapshot-key.ts'

/** `anchor.json`, which an operator carries to new gateways; those that have one take the statements. */
export interface AnchorFile {
  readonly file: string
  current(): Anchor
  /** Announces the next anchor when roots or address have changed, unless gateways have a later one. */
  refresh(): Promise<void>
  /**
   * To be called in the transaction that changed the approved authorities.
   *
   * @throws ExchangeError `admin.conflict` when their roots do not fit into an anchor.
   */
  verifyRoots(): void
  /**
   * Announces the next anchor with other keys.
   *
   * @param keys all of it.
   * @param added those of them that are new: they sign it beside the one that signs now.
   * @throws ExchangeError `anchor.malformed` when gateways could not take it.
   */
  announce(keys: Anchor['keys'], added: readonly RingKey[]): Promise<NumberedAnchor>
}

/** @throws ConfigError when `rootCertificateFile` holds no certificate. */
export async function openAnchorFile(deps: {
  readonly file: string
  readonly rootCertificateFile: string
  readonly instance: string
  readonly catalogueUrl: string
  /** Whether that address is one that was configured: another port of each start is not announced. */
  readonly isLasting: boolean
  /** The number of a later anchor that gateways have had from here: nothing is announced in its place. */
  readonly later: () => number | undefined
  readonly key: SnapshotKeys
  readonly db: Database
  readonly clock: Clock
  readonly logger: Logger
}): Promise<AnchorFile> {
  const { file, rootCertificateFile, instance, catalogueUrl, key, db, clock, logger } = deps
  const { ledger } = key
  const hasChanged = createFileWatch(rootCertificateFile)
  let serverRoots = readRoots(rootCertificateFile)
  const roots = (): string[] => {
    const all = [...serverRoots, ...approvedAuthorities(db).anchors]
    return [...new Map(all.map((root) => [root.thumbprint, root.pem])).values()]
  }
  let current: Anchor | undefined
  const write = (): void => {
    const { issuedAt: _issuedAt, ...newest } = ledger.newest!
    const next = { ...newest, catalogueUrl }
    if (JSON.stringify(next) === JSON.stringify(current)) return
    writeFileAtomically(file, `${JSON.stringify(next, undefined, 2)}\n`)
    current = next
  }
  let told: string | undefined
  const tell = (fault: string | undefined): void => {
    if (fault !== undefined && fault !== told) {
      logger.error({ fault }, 'the anchor that is due is not announced')
    }
    told = fault
  }
  /** Where they do not fit, those of before: no reason to have no other keys, of which one may be stolen. */
  const nextRoots = (): { readonly rootCertificates: string[]; readonly fault?: string } => {
    const next = roots()
    const fault = rootsFault(next)
    if (fault === undefined) return { rootCertificates: next }
    const { rootCertificates } = ledger.newest!
    return { rootCertificates, fault: `the anchor ${fault}: take one out` }
  }
  const append = async (
    keys: Anchor['keys'],
    added: readonly RingKey[],
  ): Promise<NumberedAnchor> => {
    const number = ledger.newest!.number + 1
    const issuedAt = clock().toISOString()
    const { rootCertificates } = nextRoots()
    const rest = { catalogueUrl, keys, rootCertificates }
    const signers = [key.signer, ...added].map(anchorSigner)
    const anchor = await ledger.append({ version: 1, instance, number, issuedAt, ...rest }, signers)
    logger.info(
      { anchor: number, keys: keys.map(({ kid }) => kid) },
      'the next anchor is announced',
    )
    write()
    key.writePublic()
    return anchor
  }
  const refreshOnce = async (): Promise<void> => {
    if (hasChanged()) {
      try {
        serverRoots = readRoots(rootCertificateFile)
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        logger.warn({ err: error }, 'the new rootCertificateFile is not used')
      }
    }
    const { newest } = ledger
    if (newest === undefined) {
      const keys = [key.publicJwk] as Anchor['keys']
      ledger.begin({ instance, number: 1, catalogueUrl, keys, rootCertificates: roots() })
      key.use(key.signer)
    } else {
      const hasMoved = deps.isLasting && newest.catalogueUrl !== catalogueUrl
      const { rootCertificates, fault } = nextRoots()
      const isDue = hasMoved || newest.rootCertificates.join() !== rootCertificates.join()
      const later = isDue ? deps.later() : undefined
      if (isDue && later === undefined) await append(newest.keys, [])
      const behind = `a gateway has anchor ${later}, this catalogue only ${newest.number}`
      tell(fault ?? (later === undefined ? undefined : behind))
    }
    write()
  }
  // One after the other: two at a time would give one number twice.
  let queue: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = queue.catch(() => undefined).then(work)
    queue = turn
    return turn
  }
  await refreshOnce()
  return {
    file,
    current: () => current!,
    refresh: () => inTurn(refreshOnce),
    verifyRoots: () => {
      const fault = rootsFault(roots())
      if (fault === undefined) return
      const detail = `the anchor ${fault}: remove another authority first`
      throw new ExchangeError('admin.conflict', detail)
    },
    announce: (keys, added) => inTurn(() => append(keys, added)),
  }
}

function readRoots(file: string): Certificate[] {
  try {
    const roots = parseCertificates(readFileSync(file, 'utf8'))
    if (roots.length > 0) return roots
  } catch (cause) {
    if (!(cause instanceof CertificateError) && !isSystemError(cause)) throw cause
    throw new ConfigError(`${file}: cannot be read (${cause.message})`, { cause })
  }
  throw new ConfigError(`${file}: holds no certificate in PEM form`)
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'errno' in error
}
