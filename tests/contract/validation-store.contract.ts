import { hash, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { KeptOcspAnswer, ValidationStore } from '../../exchange-log/validation-store.ts'
import { minute } from './exchange-log-entries.ts'

const thumbprintOf = (der: Buffer): string => hash('sha256', der, 'base64url')

/** An empty store, which may be opened more than once. */
export type OpenValidation = () => Promise<ValidationStore>

/** What every ValidationStore owes its callers. */
export function describeValidationStore(
  name: string,
  newStore: () => Promise<OpenValidation>,
): void {
  describe(`${name} as a ValidationStore`, () => {
    it('keeps certificates by thumbprint, also when they are given again and by several at once', async () => {
      const open = await newStore()
      const ders = Array.from({ length: 20 }, () => randomBytes(700))
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
      for (const der of ders) expect(await store.certificate(thumbprintOf(der))).toEqual(der)
      for (const unknown of ['', 'x', '\0', "'; --", thumbprintOf(Buffer.of(1))]) {
        expect(await store.certificate(unknown)).toBeUndefined()
      }
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
