import { PLAIN_SNAPSHOT_TYPE, toPlainSnapshot } from '../protocol/snapshot-form.ts'
import type { ApiReply, ApiRequest, Route } from '../runtime/admin-api.ts'
import { compressDcz, compressZstd, dictionaryDigest } from '../runtime/dictionary-zstd.ts'
import { media } from '../runtime/route-description.ts'
import type { CatalogueContext } from './context.ts'
import type { PublishedSnapshot } from './publisher.ts'
import { accepts, matchesEntityTag, readWaitMs } from './request-preferences.ts'
import { keptSnapshot } from './snapshot-log.ts'

type Deps = Pick<CatalogueContext, 'db' | 'publisher' | 'clock'>

/** Snapshots that the next one is told from: a gateway that missed more than these gets the whole. */
const MAX_BASES = 16
const JOSE = 'application/jose'
/** Ends of entity tags: a strong one stands for one sequence of bytes (RFC 9110 §8.8.3). */
const FORMS = ['', '.plain', '.plain.zstd', '.plain.dcz'] as const

interface Encoded {
  readonly form: (typeof FORMS)[number]
  readonly type: string
  readonly coding?: 'zstd' | 'dcz'
  readonly body: Buffer
}

/**
 * The current snapshot; 304 to a caller that has it. With `Prefer: wait=N` such a caller is held
 * until there is another, and so learns of a change at once. To a caller that can read it, only what
 * is new is sent (protocol/README.md §7.9).
 */
export function createSnapshotRoute(deps: Deps): Route {
  const { publisher, clock } = deps
  const encode = createEncoder(deps)
  const handle = async (request: ApiRequest): Promise<ApiReply> => {
    const { headers, signal } = request
    const isHeld = (snapshot: PublishedSnapshot): boolean =>
      FORMS.some((form) => matchesEntityTag(headers, tagOf(snapshot, form)))
    const before = publisher.current()
    const waitMs = isHeld(before) ? readWaitMs(headers) : undefined
    if (waitMs !== undefined) await publisher.waitForOther(before.etag, waitMs, signal)
    const snapshot = publisher.current()
    const common = {
      // Gateways compare their clocks with it (RFC 9110 §6.6.1)
      date: clock().toUTCString(),
      'cache-control': 'no-cache',
      vary: 'accept, accept-encoding, available-dictionary',
      ...(waitMs === undefined ? {} : { 'preference-applied': 'wait' }),
      // The server is closing: an idle connection would keep it
      ...(publisher.stopped ? { connection: 'close' } : {}),
    }
    if (isHeld(snapshot)) return { status: 304, headers: { ...common, etag: snapshot.etag } }
    const { form, type, coding, body } = await encode(snapshot, headers)
    return {
      headers: {
        ...common,
        etag: tagOf(snapshot, form),
        'content-type': type,
        ...(coding === undefined ? {} : { 'content-encoding': coding }),
        // RFC 9842 §2.1: the next one is told from this one
        ...(form === '' ? {} : { 'use-as-dictionary': 'match="/snapshot"' }),
      },
      body,
    }
  }
  return {
    method: 'GET',
    path: '/snapshot',
    access: 'public',
    about: {
      summary: 'The newest signed snapshot',
      details:
        'With If-None-Match and Prefer: wait=N, held until there is another one; whole, or as told from one that the caller has (protocol/README.md §7.3, §7.9).',
      answers: {
        200: media(JOSE),
        304: { description: 'The caller has it already.' },
      },
    },
    handle,
  }
}

const tagOf = ({ etag }: PublishedSnapshot, form: Encoded['form']): string =>
  `${etag.slice(0, -1)}${form}"`

/** Each form of a snapshot is made once, when somebody asks for it. */
function createEncoder({ db }: Deps) {
  /** Numbers by the digest of the plain form; the oldest first. */
  const bases = new Map<string, number>()
  let made: ReturnType<typeof formsOf> | undefined
  const formsOf = (snapshot: PublishedSnapshot) => {
    const plain = toPlainSnapshot(snapshot.body.toString('ascii'))
    const digest = dictionaryDigest(plain).toString('base64')
    const deltas = new Map<string, Promise<Buffer>>()
    if (bases.size >= MAX_BASES) bases.delete(bases.keys().next().value!)
    bases.set(digest, snapshot.number)
    let whole: Promise<Buffer> | undefined
    return {
      snapshot,
      plain,
      zstd: () => (whole ??= compressZstd(plain)),
      /** @returns undefined when the base is not known here, or no longer. */
      delta: (base: string): Promise<Buffer> | undefined => {
        const known = deltas.get(base)
        if (known !== undefined) return known
        const jws = keptSnapshot(db, bases.get(base) ?? 0)
        const dictionary = base === digest ? plain : jws && toPlainSnapshot(jws)
        if (!dictionary) return undefined
        const delta = compressDcz(plain, dictionary)
        deltas.set(base, delta)
        return delta
      },
    }
  }
  return async (snapshot: PublishedSnapshot, headers: ApiRequest['headers']): Promise<Encoded> => {
    if (!accepts(headers.accept, PLAIN_SNAPSHOT_TYPE)) {
      return { form: '', type: JOSE, body: snapshot.body }
    }
    if (made?.snapshot !== snapshot) made = formsOf(snapshot)
    const { plain, zstd, delta } = made
    const type = PLAIN_SNAPSHOT_TYPE
    const coding = (name: string): boolean => accepts(headers['accept-encoding'], name)
    const base = /^:([\w+/]{43}=):$/.exec(String(headers['available-dictionary']))?.[1]
    const told = coding('dcz') && base !== undefined ? await delta(base) : undefined
    if (told !== undefined) return { form: '.plain.dcz', type, coding: 'dcz', body: told }
    if (coding('zstd')) return { form: '.plain.zstd', type, coding: 'zstd', body: await zstd() }
    return { form: '.plain', type, body: plain }
  }
}
