/** What was kept of signers, in SQLite, and the chains that come out of it. */
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { chainOf } from '../../exchange-log/validation-chain.ts'
import { openSqliteValidationStore } from '../../exchange-log/validation-store-sqlite.ts'
import type { Certificate } from '../../pki/certificate.ts'
import { issueCertificate } from '../../pki/issue.ts'
import {
  createLeaf,
  createTestAuthority,
  later,
  name,
  NOW,
  temporaryFolder,
  type TestAuthority,
} from '../pki/support.ts'

let authority: TestAuthority
let leaf: Certificate
beforeAll(async () => {
  ;({ authority, leaf } = await createLeaf())
})

async function storeWith(...certificates: Certificate[]) {
  const store = openSqliteValidationStore(join(temporaryFolder(), 'validation.db'))
  await store.keepCertificates(certificates.map(({ der }) => der))
  return store
}
const ders = (...certificates: Certificate[]): Buffer[] => certificates.map(({ der }) => der)

describe('the chain of a kept certificate', () => {
  it('leads from the leaf to the root, in whatever order they were kept', async () => {
    const [root, issuing] = [authority.root.certificate, authority.issuing.certificate]
    await using store = await storeWith(root, leaf, issuing)
    expect(await chainOf(store, leaf.thumbprint, NOW)).toEqual(ders(leaf, issuing, root))
    expect(await chainOf(store, root.thumbprint, NOW)).toEqual(ders(root))
  })

  it('is told by signatures from authorities of the same name', async () => {
    const [root, issuing] = [authority.root.certificate, authority.issuing.certificate]
    const other = await createTestAuthority()
    await using store = await storeWith(
      ...[other.root.certificate, other.issuing.certificate, root, issuing, leaf],
    )
    expect(await chainOf(store, leaf.thumbprint, NOW)).toEqual(ders(leaf, issuing, root))
  })

  it('has of two certificates of one authority the one that was valid when the leaf was used', async () => {
    const { root, issuing } = authority
    const renewed = await issueCertificate({
      profile: 'issuing-authority',
      subject: name('issuing'),
      publicKey: issuing.key.publicKey,
      issuer: root,
      at: later(1000),
    })
    for (const order of [
      [renewed, issuing.certificate],
      [issuing.certificate, renewed],
    ]) {
      await using store = await storeWith(root.certificate, leaf, ...order)
      const found = await chainOf(store, leaf.thumbprint, later(1))
      expect(found).toEqual(ders(leaf, issuing.certificate, root.certificate))
    }
  })

  it('ends where no issuer was kept, and is empty when the leaf was not', async () => {
    const issuing = authority.issuing.certificate
    await using store = await storeWith(leaf, issuing)
    expect(await chainOf(store, leaf.thumbprint, NOW)).toEqual(ders(leaf, issuing))
    expect(await chainOf(store, authority.root.certificate.thumbprint, NOW)).toEqual([])
  })
})
