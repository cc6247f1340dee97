import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { KeptOcspAnswer, ValidationStore } from '../../exchange-log/validation-store.ts'
import { createTestAuthority } from '../pki/support.ts'
import { minute } from './exchange-log-entries.ts'

/** An empty store, which may be opened more than once. */
export type OpenValidation = () => Promise<ValidationStore>

/** What every ValidationStore owes its callers. */
export function describeValidationStore(
  name: string,
  newStore: () => Promise<OpenValidation>,
): void {
  describe(`${name} as a ValidationStore`, () => {
    it('keeps certificates by thumbprint and by name, also when they are given again and by several at once', async () => {
      const open = await newStore()
      const authorities = await Promise.all(Array.from({ length: 5 }, () => createTestAuthority()))
      const issuing = authorities.map(({ issuing: { certificate } }) => certificate)
      const roots = authorities.map(({ root: { certificate } }) => certificate)
      const ders = [...issuing, ...roots].map(({ der }) => der)
      {
        await using store = await open()
        await using other = await open()
        await store.keepCertificates([])
        await Promise.all([
          store.keepCertificates(ders),
          other.keepCertificates(ders.toReversed()),
          store.keepCertificates([ders[0]!, ders[0]!]),
        ])
      }
      await using store = await open()
      for (const { thumbprint, der } of issuing) {
        expect(await store.certificate(thumbprint)).toEqual(der)
      }
      // Five of one name: authorities that followed one another.
      const named = await store.certificatesNamed(roots[0]!.subjectDer)
      expect(new Set(named.map((der) => der.toString('hex')))).toEqual(
        new Set(roots.map(({ der }) => der.toString('hex'))),
      )
      expect(await store.certificatesNamed(Buffer.of(1))).toEqual([])
      for (const unknown of ['', 'x', '\0', "'; --"]) {
        expect(await store.certificate(unknown)).toBeUndefined()
      }
    })

    it('keeps none of several certificates when one is none', async () => {
      await using store = await (await newStore())()
      const { root } = await createTestAuthority()
      const { der, thumbprint } = root.certificate
      const attempt = async (): Promise<void> => store.keepCertificates([der, Buffer.of(1, 2, 3)])
      await expect(attempt()).rejects.toMatchObject({ name: 'CertificateError' })
      expect(await store.certificate(thumbprint)).toBeUndefined()
    })

    it('finds the OCSP answer that was newest at an instant, else the first after it', async () => {
      const open = await newStore()
      await using store = await open()
      const answer = (minutes: number): KeptOcspAnswer => ({
        thumbprint: 'ក',
        producedAt: minute(minutes),
        der: randomBytes(200),
      })
      const [early, late] = [answer(10), answer(20)]
      for (const one of [late, early, { ...early, der: Buffer.of(9) }]) {
        await store.keepOcspAnswer(one)
      }
      await store.keepOcspAnswer({ ...answer(15), thumbprint: 'other' })
      await using other = await open()
      const at = (minutes: number): Promise<KeptOcspAnswer | undefined> =>
        other.ocspAnswer('ក', minute(minutes))
      for (const minutes of [0, 10, 19]) expect(await at(minutes)).toStrictEqual(early)
      for (const minutes of [20, 59]) expect(await at(minutes)).toStrictEqual(late)
      expect(await other.ocspAnswer('unknown', minute(30))).toBeUndefined()
    })

    it('keeps the first time-stamp of a signature', async () => {
      const open = await newStore()
      const stamp = { digest: 'd', token: randomBytes(3000), genTime: minute(1) }
      {
        await using store = await open()
        await store.keepSignatureStamp(stamp)
        await store.keepSignatureStamp({ ...stamp, token: Buffer.of(1), genTime: minute(2) })
      }
      await using store = await open()
      expect(await store.signatureStamp('d')).toStrictEqual(stamp)
      expect(await store.signatureStamp('\0')).toBeUndefined()
    })
  })
}
