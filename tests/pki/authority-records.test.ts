/** What an authority remembers: in its journal, in its lists, of its other half. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseCertificate } from '../../pki/certificate.ts'
import { parseCrl } from '../../pki/crl.ts'
import { createOcspRequest } from '../../pki/ocsp-request.ts'
import { readOcspStatements } from '../../pki/ocsp-verify.ts'
import { coded, requestFor, setupAuthority } from './authority-support.ts'
import { DAY_MS, GATEWAY, later, NOW, openssl, temporaryFolder } from './support.ts'

const { gateway: _, ...MEMBER } = GATEWAY
const FROM = { remoteAddress: '192.0.2.1' }

describe('an authority', () => {
  it('writes down what it issues and revokes, with who asked', async () => {
    const authority = await setupAuthority().open()
    const { code } = authority.codes.make({
      orders: [{ kind: 'signing', identity: MEMBER, subjectAltNames: [] }],
      expiresAt: later(7),
    })
    const csr = await requestFor(MEMBER)
    const answer = await authority.enrol({ csr, code, ...FROM })
    if (!('certificate' in answer)) throw new TypeError('it waits for approval')
    const { serial } = answer.certificate
    authority.revoke(serial, 'keyCompromise')
    const entries = authority.journal.list(0, 1000)
    const issued = entries.find(
      ({ action, subject }) => action === 'certificate-issued' && subject === serial,
    )
    expect(issued).toMatchObject({ at: NOW.toISOString(), ...FROM })
    expect(issued?.detail).toContain('signing for ')
    expect(entries.map(({ action }) => action)).toEqual(
      expect.arrayContaining(['code-made', 'code-used', 'certificate-revoked']),
    )
    expect(JSON.stringify(entries)).not.toContain(code)
  })

  it('lists a revoked certificate until one list after its end (RFC 5280 §3.3)', async () => {
    const setup = setupAuthority()
    const authority = await setup.open({ lifetimes: { signing: DAY_MS / 2 } })
    const csr = await requestFor(MEMBER)
    const { serial } = await authority.issue({ kind: 'signing', identity: MEMBER, csr })
    authority.revoke(serial, 'keyCompromise')
    const listed = async (): Promise<boolean> => {
      const lists = await authority.revocationLists.issueNow()
      return parseCrl(lists.find(({ issuer }) => issuer === 'signing')!.der).entries.has(serial)
    }
    expect(await listed()).toBe(true)
    setup.setTime(later(1))
    expect(await listed()).toBe(true)
    setup.setTime(later(2))
    expect(await listed()).toBe(false)
  })

  it('says of a serial number of its other half that it does not know it', async () => {
    const authority = await setupAuthority().open()
    const certificate = await authority.issue({
      ...{ kind: 'signing', identity: MEMBER, csr: await requestFor(MEMBER) },
    })
    const statusBy = async (issuer: 'authentication' | 'signing') => {
      const request = createOcspRequest(certificate, authority.issuers[issuer])
      return readOcspStatements((await authority.answerOcsp(request)).der)[0]?.status
    }
    expect(await statusBy('signing')).toBe('good')
    expect(await statusBy('authentication')).toBe('unknown')
  })

  it('renews nothing for a certificate that somebody else made with a serial number of ours', async () => {
    const authority = await setupAuthority().open()
    const csr = await requestFor(GATEWAY)
    const own = await authority.issue({ kind: 'authentication', identity: GATEWAY, csr })
    const folder = temporaryFolder()
    const [key, file] = [join(folder, 'key.pem'), join(folder, 'forged.pem')]
    const { output, exitCode } = await openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-keyout', key, '-out', file, '-subj', '/O=KH-TEST', '-set_serial', `0x${own.serial}`],
    )
    expect(exitCode, output).toBe(0)
    const forged = parseCertificate(readFileSync(file, 'utf8'))
    expect(forged.serial).toBe(own.serial)
    const renewal = authority.reEnrol({
      csr: await requestFor(GATEWAY),
      peerCertificate: forged.der,
      ...FROM,
    })
    await expect(renewal).rejects.toThrow(coded('certificate.untrusted'))
  })

  it('renews no signing certificate that was revoked, whoever asks', async () => {
    const authority = await setupAuthority().open()
    const { code } = authority.codes.make({
      orders: [
        { kind: 'authentication', identity: GATEWAY, subjectAltNames: [] },
        { kind: 'signing', identity: MEMBER, subjectAltNames: [] },
      ],
      expiresAt: later(7),
    })
    const [own, signing] = await Promise.all(
      [GATEWAY, MEMBER].map(async (identity) => {
        const answer = await authority.enrol({ csr: await requestFor(identity), code, ...FROM })
        if ('certificate' in answer) return answer.certificate
        throw new TypeError('it waits for approval')
      }),
    )
    authority.revoke(signing!.serial, 'keyCompromise')
    const csr = await requestFor(MEMBER)
    const renewal = authority.reEnrol({ csr, peerCertificate: own!.der, ...FROM })
    await expect(renewal).rejects.toThrow(coded('certificate.revoked'))
  })
})
