import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import {
  openAuthority,
  type Authority,
  type AuthorityOptions,
} from '../../pki/authority/authority.ts'
import { createCsr } from '../../pki/csr.ts'
import type { CertificateIdentity } from '../../pki/identity.ts'
import { generateKey } from '../../pki/keys.ts'
import { GATEWAY, NOW, temporaryFolder } from './support.ts'

export interface AuthoritySetup {
  readonly stateDir: string
  /** Opens the authority of the folder, again after it was disposed of. */
  readonly open: (changes?: Partial<AuthorityOptions>) => Promise<Authority>
  /** Moves the clock that every opened authority reads. */
  readonly setTime: (at: Date) => void
}

/** An authority in a folder of its own, at NOW. */
export function setupAuthority(): AuthoritySetup {
  const stateDir = join(temporaryFolder(), 'authority')
  let now = NOW
  return {
    stateDir,
    setTime: (at) => void (now = at),
    open: async (changes = {}) => {
      const authority = await openAuthority({
        instance: 'KH-TEST',
        stateDir,
        publicUrl: () => 'http://authority.example',
        clock: () => now,
        ...changes,
      })
      let isClosed = false
      const close = async (): Promise<void> => {
        if (isClosed) return
        isClosed = true
        await authority[Symbol.asyncDispose]()
      }
      onTestFinished(close)
      return { ...authority, [Symbol.asyncDispose]: close }
    },
  }
}

/** DER of a request with a key of its own. */
export async function requestFor(
  identity: CertificateIdentity = GATEWAY,
  subjectAltNames: readonly string[] = [],
): Promise<Buffer> {
  return (await createCsr({ identity, key: await generateKey('P-256'), subjectAltNames })).der
}

/** An error with this code, for toThrow. */
export const coded = (code: string): Error => expect.objectContaining({ code }) as Error
