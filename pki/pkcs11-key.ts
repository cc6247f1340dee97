import { verify, type KeyObject } from 'node:crypto'
import { ConfigError } from '../runtime/config.ts'
import {
  ckrOf,
  ignoringFaults,
  openModule,
  type Handle,
  type Pkcs11Module,
} from './pkcs11-module.ts'
import { tokenSignature, type TokenSignature } from './pkcs11-mechanism.ts'
import { AbsentKeyError, findKey, openTokenSession } from './pkcs11-token.ts'
import { nameOfKey, type Pkcs11Uri } from './pkcs11-uri.ts'
import { createPool } from './pkcs11-pool.ts'
import { KeyError, type SigningKey } from './signing-key.ts'

/** A session makes one signature at a time; libuv has as many threads, on which they wait. */
const SESSIONS = 4

interface Session {
  readonly handle: Handle
  readonly key: Handle
  readonly generation: number
  readonly epoch: number
}

/** A place in the pool: its session, and what a thread of the library reads and writes at the moment. */
interface Place {
  session: Session | undefined
  buffers: readonly Buffer[]
}

const emptyPlace = (): Place => ({ session: undefined, buffers: [] })

/** Opening blocks this thread, for seconds if a network HSM is away: not more than once in a while. */
const OPEN_PAUSE_MS = 1_000

interface OpenFailure {
  readonly error: unknown
  readonly at: number
  readonly generation: number
}

const isRecent = ({ at, generation }: OpenFailure, module: Pkcs11Module): boolean =>
  generation === module.generation && performance.now() - at < OPEN_PAUSE_MS

function closeSession(module: Pkcs11Module, handle: Handle): void {
  ignoringFaults(() => module.api.C_CloseSession(handle))
}

/**
 * Opens a key in a PKCS#11 token. It signs on several sessions. When the token was away (unplugged, restarted,
 * its session closed) they are opened anew, once for a signature; a PIN that the token refused is not shown to it again.
 *
 * @throws ConfigError when token or key is missing or ambiguous, the PIN is refused, or a signature of the key
 * does not verify with the public key beside it.
 */
export async function openPkcs11Key(uri: Pkcs11Uri): Promise<SigningKey & AsyncDisposable> {
  const module = openModule(uri.modulePath)
  try {
    return await openKey(module, uri)
  } catch (cause) {
    if (cause instanceof ConfigError) throw cause
    throw new ConfigError(keyErrorOf(cause, uri).message, { cause })
  }
}

async function openKey(
  module: Pkcs11Module,
  uri: Pkcs11Uri,
): Promise<SigningKey & AsyncDisposable> {
  let publicKey: KeyObject | undefined
  // Counts losses: when one session is gone, so are those that are older than this.
  let epoch = 0
  const places = Array.from({ length: SESSIONS }, emptyPlace)
  const pool = createPool(places, () => new KeyError(`${nameOfKey(uri)}: is closed or overloaded`))

  let failure: OpenFailure | undefined

  const findIn = (handle: Handle): Session => {
    const found = findKey(module.api, handle, uri)
    publicKey ??= found.publicKey
    // Another key under the same name would sign for a certificate that is not its own.
    if (!found.publicKey.equals(publicKey)) {
      throw new KeyError(`${nameOfKey(uri)}: the token holds another key than at the start`)
    }
    return { handle, key: found.handle, generation: module.generation, epoch }
  }
  const openSession = (): Session => {
    if (failure !== undefined && isRecent(failure, module)) throw failure.error
    let handle: Handle | undefined
    try {
      handle = openTokenSession(module.api, uri)
      return findIn(handle)
    } catch (error) {
      if (handle !== undefined) closeSession(module, handle)
      failure = { error, at: performance.now(), generation: module.generation }
      throw error
    }
  }
  const drop = (place: Place): void => {
    const { session } = place
    place.session = undefined
    // After a restart the number may be that of a session of somebody else.
    if (session?.generation !== module.generation) return
    closeSession(module, session.handle)
  }
  const sessionOf = (place: Place): Session => {
    const { session } = place
    if (session?.generation !== module.generation || session.epoch !== epoch) drop(place)
    return (place.session ??= openSession())
  }
  const signOnce = (signature: TokenSignature): Promise<Buffer> =>
    pool.use(async (place) => {
      // No other wait up to C_SignAsync: a restart must see either none or all of it.
      while (module.restarting !== undefined) await module.restarting
      try {
        const { handle, key } = sessionOf(place)
        const output = Buffer.alloc(signature.maxBytes)
        place.buffers = [signature.input, output]
        module.api.C_SignInit(handle, signature.mechanism, key)
        return await module.track(module.api.C_SignAsync(handle, signature.input, output))
      } catch (error) {
        if (isLost(error) && place.session?.epoch === epoch) epoch += 1
        drop(place)
        throw error
      } finally {
        place.buffers = []
      }
    })
  const dispose = async (): Promise<void> => {
    for (const place of await pool.close()) drop(place)
  }

  await attempts(module, async () => {
    while (module.restarting !== undefined) await module.restarting
    sessionOf(places[0]!)
  })
  const key: SigningKey = {
    publicKey: publicKey!,
    sign: async (bytes, scheme) => {
      const signature = tokenSignature(key.publicKey, bytes, scheme)
      try {
        return signature.finish(await attempts(module, () => signOnce(signature)))
      } catch (cause) {
        throw keyErrorOf(cause, uri)
      }
    },
  }
  try {
    await checkPair(key, uri)
  } catch (error) {
    await dispose()
    throw error
  }
  return { ...key, [Symbol.asyncDispose]: dispose }
}

/** The public key is an object of its own in a token, and may belong to another private key. */
async function checkPair(key: SigningKey, uri: Pkcs11Uri): Promise<void> {
  const bytes = Buffer.from('Spean: is this the key?')
  const signature = await key.sign(bytes, { hash: 'sha256' })
  if (!verify('sha256', bytes, key.publicKey, signature)) {
    throw new KeyError(`${nameOfKey(uri)}: the public key with the same id is not its own`)
  }
}

/** What says that session or token is gone, and not that the request is wrong. */
const LOST =
  /^CKR_(SESSION_(HANDLE_INVALID|CLOSED)|(OBJECT|KEY)_HANDLE_INVALID|USER_NOT_LOGGED_IN|DEVICE_\w+|TOKEN_NOT_\w+|SLOT_ID_INVALID|GENERAL_ERROR|FUNCTION_FAILED|CRYPTOKI_NOT_INITIALIZED)$/

export const isLost = (error: unknown): boolean =>
  error instanceof AbsentKeyError || LOST.test(ckrOf(error) ?? '')

/** Tries; when token or session is gone, tries with a new session, and then with the library begun anew. */
async function attempts<T>(module: Pkcs11Module, attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt()
  } catch (error) {
    if (!isLost(error)) throw error
  }
  const { generation } = module
  try {
    return await attempt()
  } catch (error) {
    if (!isLost(error)) throw error
    await module.restart(generation)
    if (module.generation === generation) throw error
  }
  return await attempt()
}

function keyErrorOf(cause: unknown, uri: Pkcs11Uri): Error {
  const ckr = ckrOf(cause)
  if (ckr !== undefined) return new KeyError(`${nameOfKey(uri)}: cannot sign (${ckr})`, { cause })
  // The file of the PIN is read at each login, and may be gone.
  if (cause instanceof ConfigError) return new KeyError(cause.message, { cause })
  return cause as Error
}
