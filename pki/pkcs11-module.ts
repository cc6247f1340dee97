import { realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { ConfigError } from '../runtime/config.ts'

/** Session, slot or object: an opaque number of the library. */
export type Handle = Buffer

export interface Attribute {
  readonly type: number
  readonly value?: Buffer | number | string
}

export interface Mechanism {
  readonly mechanism: number
  readonly parameter?:
    | { type: number; hashAlg: number; mgf: number; saltLen: number }
    | { type: number; iv: Buffer; aad: Buffer; ivBits: number; tagBits: number }
}

/** What is used here of the package `pkcs11js`, which is installed only where a token is. */
export interface Pkcs11 {
  load(path: string): void
  C_Initialize(options: { flags: number }): void
  C_Finalize(): void
  C_GetSlotList(tokenPresent: boolean): Handle[]
  C_GetTokenInfo(slot: Handle): TokenInfo
  C_OpenSession(slot: Handle, flags: number): Handle
  C_CloseSession(session: Handle): void
  C_Login(session: Handle, userType: number, pin: string): void
  C_FindObjectsInit(session: Handle, template: readonly Attribute[]): void
  C_FindObjects(session: Handle, max: number): Handle[]
  C_FindObjectsFinal(session: Handle): void
  C_GetAttributeValue(session: Handle, object: Handle, wanted: Attribute[]): { value?: Buffer }[]
  C_SignInit(session: Handle, mechanism: Mechanism, key: Handle): void
  /** Runs on a thread of libuv, which holds no reference to either buffer: the caller must. */
  C_SignAsync(session: Handle, data: Buffer, signature: Buffer): Promise<Buffer>
  C_EncryptInit(session: Handle, mechanism: Mechanism, key: Handle): void
  C_Encrypt(session: Handle, plain: Buffer, sealed: Buffer): Buffer
  C_DecryptInit(session: Handle, mechanism: Mechanism, key: Handle): void
  C_Decrypt(session: Handle, sealed: Buffer, plain: Buffer): Buffer
}

export interface TokenInfo {
  readonly label: string
  readonly manufacturerID: string
  readonly model: string
  readonly serialNumber: string
  readonly flags: number
}

/** Constants of PKCS#11 v2.40 (OASIS), and those of pkcs11js for the parameters of mechanisms. */
export const CK = {
  CKF_OS_LOCKING_OK: 0x2,
  CKF_SERIAL_SESSION: 0x4,
  CKF_LOGIN_REQUIRED: 0x4,
  CKU_USER: 1,
  CKA_CLASS: 0x0,
  CKA_LABEL: 0x3,
  CKA_KEY_TYPE: 0x100,
  CKA_ID: 0x102,
  CKA_MODULUS: 0x120,
  CKA_PUBLIC_EXPONENT: 0x122,
  CKA_EC_PARAMS: 0x180,
  CKA_EC_POINT: 0x181,
  CKO_PUBLIC_KEY: 2,
  CKO_PRIVATE_KEY: 3,
  CKO_SECRET_KEY: 4,
  CKK_RSA: 0,
  CKK_EC: 3,
  CKK_AES: 0x1f,
  CKM_RSA_PKCS: 0x1,
  CKM_RSA_PKCS_PSS: 0xd,
  CKM_ECDSA: 0x1041,
  CKM_AES_GCM: 0x1087,
  CK_PARAMS_RSA_PSS: 5,
  CK_PARAMS_AES_GCM_V240: 7,
} as const

/** The name `CKR_…` of what a library answered; undefined for any other error. */
export function ckrOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || error.name !== 'Pkcs11Error') return undefined
  return /^CKR_\w+/.exec(error.message)?.[0] ?? 'CKR_VENDOR_DEFINED'
}

/** A PKCS#11 library, initialised once for the whole process, whatever the number of keys. */
export interface Pkcs11Module {
  readonly api: Pkcs11
  /** Counts restarts. Handles of an earlier generation are void, or name something else by now. */
  readonly generation: number
  /** A restart under way: nothing may be called before its end. */
  readonly restarting: Promise<void> | undefined
  /** A restart waits for what is tracked: the library's threads must be out of it. */
  track<T>(operation: Promise<T>): Promise<T>
  /**
   * Finalises and initialises the library, which is how some find a token again that was away. Does nothing
   * when it has happened since `generation`, or less than a second ago.
   */
  restart(generation: number): Promise<void>
}

const RESTART_PAUSE_MS = 1_000
const modules = new Map<string, Pkcs11Module>()

/** @throws ConfigError when the library or the binding to it is missing, or does not begin to work. */
export function openModule(path: string): Pkcs11Module {
  let file: string
  try {
    file = realpathSync(path)
  } catch (cause) {
    throw new ConfigError(`${path}: there is no such PKCS#11 library`, { cause })
  }
  const known = modules.get(file)
  if (known !== undefined) return known
  const api = new (loadBinding().PKCS11)()
  try {
    api.load(file)
    initialise(api)
  } catch (cause) {
    const why = (cause as Error).message
    throw new ConfigError(`${path}: this PKCS#11 library does not start (${why})`, { cause })
  }
  const opened = createModule(api)
  modules.set(file, opened)
  return opened
}

function createModule(api: Pkcs11): Pkcs11Module {
  const tracked = new Set<Promise<unknown>>()
  let generation = 0
  let restartedAt = -Infinity
  let restarting: Promise<void> | undefined

  async function restartNow(): Promise<void> {
    try {
      await Promise.allSettled(tracked)
      // Whatever it says: what counts is whether it begins again.
      ignoringFaults(() => api.C_Finalize())
      ignoringFaults(() => initialise(api))
    } finally {
      generation += 1
      restartedAt = performance.now()
      restarting = undefined
    }
  }
  return {
    api,
    get generation() {
      return generation
    },
    get restarting() {
      return restarting
    },
    track: async (operation) => {
      tracked.add(operation)
      try {
        return await operation
      } finally {
        tracked.delete(operation)
      }
    },
    restart: async (seen) => {
      const isRecent = performance.now() - restartedAt < RESTART_PAUSE_MS
      if (restarting === undefined && (seen !== generation || isRecent)) return
      restarting ??= restartNow()
      await restarting
    },
  }
}

function initialise(api: Pkcs11): void {
  try {
    // Signatures are made on several threads.
    api.C_Initialize({ flags: CK.CKF_OS_LOCKING_OK })
  } catch (error) {
    if (ckrOf(error) !== 'CKR_CRYPTOKI_ALREADY_INITIALIZED') throw error
  }
}

/** Runs a call whose failure changes nothing. @throws what is no answer of the library. */
export function ignoringFaults(call: () => void): void {
  try {
    call()
  } catch (error) {
    if (ckrOf(error) === undefined) throw error
  }
}

/** Installed beside the project's own packages: it is compiled, and only tokens need it. */
const BINDING_FOLDER = new URL('../bin/pkcs11/', import.meta.url)

function loadBinding(): { PKCS11: new () => Pkcs11 } {
  try {
    return createRequire(BINDING_FOLDER)('pkcs11js') as { PKCS11: new () => Pkcs11 }
  } catch (cause) {
    throw new ConfigError(
      'a key in a PKCS#11 token needs a package that is not installed here; run: sh bin/setup-pkcs11',
      { cause },
    )
  }
}
