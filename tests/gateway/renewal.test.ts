import { join } from 'node:path'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { createCredential, type Credential } from '../../gateway/credentials/credential.ts'
import { openCredentialStore, type CredentialStore } from '../../gateway/credentials/store.ts'
import { createRenewal, type Renewal } from '../../gateway/renewal/renewal.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { parseCsr } from '../../pki/csr.ts'
import type { Awaited } from '../../pki/est-client.ts'
import { subjectOf } from '../../pki/identity.ts'
import { generateKey, type KeyKind } from '../../pki/keys.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import {
  createTestAuthority,
  DAY_MS,
  NOW,
  temporaryFolder,
  type TestAuthority,
} from '../pki/support.ts'
import { silent } from './support.ts'

/** Keys without a passphrase; nothing of them is to be closed. */
const plain = { passphrase: undefined, scope: new AsyncDisposableStack() }

const IDENTITY = { instance: 'KH-TEST', memberClass: 'GOV', member: 'REG' }
const GATEWAY = 'KH-TEST/GOV/REG/REG-1'
const SLOT = { kind: 'authentication', owner: GATEWAY } as const
const LIFE_MS = 90 * DAY_MS

let authority: TestAuthority
let dir: string
let now: Date
let configured: Credential
let store: CredentialStore
let renewal: Renewal
/** Requests that the authority was asked for, and certificates that the catalogue was. */
let asked: Buffer[]
let registered: string[]
let failed: string[]
let reenroll: (csr: Buffer) => Promise<Certificate[] | Awaited>
let register: (credential: Credential) => Promise<void>

async function issue(csr: Buffer): Promise<Certificate[]> {
  const { publicKey, subjectAltNames } = parseCsr(csr)
  return [await certify(publicKey, subjectAltNames), authority.issuing.certificate]
}
const certify = (publicKey: Certificate['publicKey'], subjectAltNames: readonly string[]) =>
  authority.issue({
    profile: 'authentication',
    publicKey,
    subject: subjectOf({ ...IDENTITY, gateway: 'REG-1' }),
    subjectAltNames: [...subjectAltNames],
    at: now,
    lifetimeMs: LIFE_MS,
  })

async function useKey(kind: KeyKind, keyReference = 'authentication.key'): Promise<void> {
  const key = await generateKey(kind)
  const certificate = await certify(key.publicKey, ['gw.example', '10.0.0.1'])
  const parts = { ...SLOT, key, keyReference, chain: certificate.pem, tlsKey: 'key' }
  configured = createCredential(parts)!
  await restart()
}

/** A start after a kill: what is not on disk is gone. */
async function restart(): Promise<void> {
  store = await openCredentialStore({ dir, configured: [configured], logger: silent, ...plain })
  renewal = createRenewal({
    slots: [SLOT],
    store,
    reenroll: async (csr) => {
      asked.push(csr)
      return reenroll(csr)
    },
    register: async (credential) => {
      await register(credential)
      registered.push(credential.certificate.thumbprint)
    },
    onInstalled: () => undefined,
    onFailure: (_slot, code) => void failed.push(code),
    clock: () => now,
    logger: silent,
    random: () => 1,
  })
}
const pass = (ms: number): void => {
  now = new Date(now.getTime() + ms)
}
const newest = (): Credential => store.of(SLOT)[0]!
const untilDue = (): number =>
  newest().certificate.notAfter.getTime() - now.getTime() - Math.ceil(LIFE_MS / 3)

beforeEach(async () => {
  authority = await createTestAuthority()
  dir = join(temporaryFolder(), 'credentials')
  now = NOW
  asked = []
  registered = []
  failed = []
  reenroll = issue
  register = async () => {}
  await useKey('P-256')
})

describe('a certificate', () => {
  it('is renewed when a third of its life is left, and not before', async () => {
    pass(untilDue() - DAY_MS)
    await renewal.look()
    expect(asked).toEqual([])
    pass(DAY_MS + 60_000)
    await renewal.look()
    expect(registered).toEqual([newest().certificate.thumbprint])
    expect(newest()).not.toBe(configured)
    await renewal.look()
    expect(asked).toHaveLength(1)
    expect(renewal.describe()).toMatchObject([{ next: 'renew', failures: 0, failure: undefined }])
  })

  it('is renewed again and again', async () => {
    for (let i = 1; i <= 5; i += 1) {
      pass(untilDue() + 60_000)
      await renewal.look()
      expect(registered).toHaveLength(i)
    }
    expect(new Set(registered).size).toBe(5)
  })

  it.each<KeyKind>(['P-256', 'P-384', 'RSA-2048'])(
    'of kind %s gets a new key of that kind, for the same subject and names',
    async (kind) => {
      await useKey(kind)
      pass(untilDue() + 60_000)
      await renewal.look()
      const old = configured.certificate
      const { certificate } = newest()
      expect(certificate.subject).toBe(old.subject)
      expect(certificate.subjectAltNames).toEqual(old.subjectAltNames)
      const { asymmetricKeyType, asymmetricKeyDetails } = old.publicKey
      expect(certificate.publicKey).toMatchObject({ asymmetricKeyType, asymmetricKeyDetails })
      expect(certificate.publicKey.equals(old.publicKey)).toBe(false)
    },
  )
})

describe('a kill', () => {
  const dies = (): never => {
    throw new ExchangeError('enrolment.unavailable', 'killed here')
  }

  it('before the authority answers: the same request is sent again', async () => {
    reenroll = async () => dies()
    pass(untilDue() + 60_000)
    await renewal.look()
    await restart()
    expect(renewal.describe()).toMatchObject([{ next: 'collect' }])
    reenroll = issue
    await renewal.look()
    expect(asked).toHaveLength(2)
    expect(asked[1]).toEqual(asked[0])
    expect(registered).toEqual([newest().certificate.thumbprint])
  })

  it('after the authority issued, before the certificate was kept: it is issued once more', async () => {
    const install = vi.spyOn(store, 'install').mockImplementation(dies)
    pass(untilDue() + 60_000)
    await renewal.look()
    expect(install).toHaveBeenCalled()
    await restart()
    await renewal.look()
    expect(asked[1]).toEqual(asked[0])
    expect(registered).toEqual([newest().certificate.thumbprint])
  })

  it('before the catalogue answers: the certificate is kept, and registered then', async () => {
    register = async () => dies()
    pass(untilDue() + 60_000)
    await renewal.look()
    const { thumbprint } = newest().certificate
    expect(thumbprint).not.toBe(configured.certificate.thumbprint)
    await restart()
    expect(renewal.describe()).toMatchObject([{ next: 'register' }])
    register = async () => {}
    await renewal.look()
    expect(asked).toHaveLength(1)
    expect(registered).toEqual([thumbprint])
  })

  it('after the catalogue listed it, before that was noted: it is registered once more', async () => {
    vi.spyOn(store, 'setRegistered').mockImplementation(dies)
    pass(untilDue() + 60_000)
    await renewal.look()
    await restart()
    await renewal.look()
    const { thumbprint } = newest().certificate
    expect(registered).toEqual([thumbprint, thumbprint])
    await renewal.look()
    expect(registered).toHaveLength(2)
  })
})

describe('a failure', () => {
  const unavailable = new ExchangeError('enrolment.unavailable', 'https://pki cannot be reached')

  it('is tried again after twice as long each time, and told of', async () => {
    reenroll = async () => {
      throw unavailable
    }
    pass(untilDue() + 60_000)
    const waits: number[] = []
    for (let i = 1; i <= 4; i += 1) {
      await renewal.look()
      const [state] = renewal.describe()
      expect(state).toMatchObject({
        next: 'collect',
        failures: i,
        failure: { code: 'enrolment.unavailable', detail: unavailable.message },
      })
      waits.push(state!.nextAttemptAt.getTime() - now.getTime())
      pass(waits.at(-1)! - 1)
      await renewal.look()
      expect(asked).toHaveLength(i)
      pass(1)
    }
    expect(waits).toEqual([5000, 10_000, 20_000, 40_000])
    expect(failed).toHaveLength(4)
    reenroll = issue
    await renewal.look()
    expect(renewal.describe()).toMatchObject([{ next: 'renew', failures: 0 }])
    expect(new Set(asked.map((csr) => csr.toString('hex'))).size).toBe(1)
  })

  it('because the operator has to approve is none: it waits as long as it is told', async () => {
    reenroll = async () => ({ retryAfterMs: 30_000 })
    pass(untilDue() + 60_000)
    await renewal.look()
    pass(29_000)
    await renewal.look()
    expect(asked).toHaveLength(1)
    expect(failed).toEqual([])
    reenroll = issue
    pass(1000)
    await renewal.look()
    expect(registered).toHaveLength(1)
  })

  it('of the catalogue that outlives the certificate ends with another one', async () => {
    register = async () => {
      throw new ExchangeError('registration.not-allowed', 'not for this member')
    }
    pass(untilDue() + 60_000)
    await renewal.look()
    const unlisted = newest()
    expect(renewal.describe()).toMatchObject([{ next: 'register', failures: 1 }])
    register = async () => {}
    pass(LIFE_MS + 60_000)
    await renewal.look()
    expect(newest()).not.toBe(unlisted)
    expect(registered).toEqual([newest().certificate.thumbprint])
  })

  it('for good takes a new key the next time', async () => {
    reenroll = async () => {
      throw new ExchangeError('enrolment.rejected', 'not this one')
    }
    pass(untilDue() + 60_000)
    await renewal.look()
    reenroll = issue
    pass(60_000)
    await renewal.look()
    expect(asked[1]).not.toEqual(asked[0])
    expect(registered).toHaveLength(1)
  })

  it('of one certificate does not keep the others', async () => {
    // The certificate of another key: install refuses it.
    reenroll = async () => [await certify((await generateKey('P-256')).publicKey, [])]
    pass(untilDue() + 60_000)
    await renewal.look()
    expect(failed).toEqual(['enrolment.unavailable'])
    expect(newest()).toBe(configured)
  })
})

it('a key in a token is certified again: a token makes no new one here', async () => {
  const key = await generateKey('P-256')
  const signing = { kind: 'signing', owner: 'KH-TEST/GOV/REG' } as const
  const certificate = await authority.issue({
    profile: 'signing',
    publicKey: key.publicKey,
    subject: subjectOf(IDENTITY),
    lifetimeMs: LIFE_MS,
  })
  const reference = 'pkcs11:token=spean;object=seal'
  const parts = { ...signing, key, keyReference: reference, chain: certificate.pem }
  const begin = vi.fn<CredentialStore['begin']>(() => dropped())
  const dropped = (): never => {
    throw new ExchangeError('enrolment.unavailable', 'far enough')
  }
  const held = createCredential(parts)!
  const fake = {
    of: () => [held],
    pending: () => undefined,
    isRegistered: () => true,
    removeEnded: () => undefined,
    begin,
  } as unknown as CredentialStore
  pass(LIFE_MS)
  await createRenewal({
    slots: [signing],
    store: fake,
    reenroll: async () => dropped(),
    register: async () => {},
    onInstalled: () => undefined,
    onFailure: () => undefined,
    clock: () => now,
    logger: silent,
  }).look()
  const [slot, kept, csr] = begin.mock.calls[0]!
  expect([slot, kept]).toEqual([signing, reference])
  expect(parseCsr(csr).publicKey.equals(key.publicKey)).toBe(true)
})
