import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startUpkeep } from '../../pki/authority/upkeep.ts'
import { parseCrl } from '../../pki/crl.ts'
import { createCsr } from '../../pki/csr.ts'
import { generateKey } from '../../pki/keys.ts'
import { ConfigError } from '../../runtime/config.ts'
import { requestFor, setupAuthority } from './authority-support.ts'
import { GATEWAY, later, NOW } from './support.ts'

const { gateway: _, ...MEMBER } = GATEWAY

describe('the root', () => {
  it('may be taken away: all goes on but making authorities and its revocation list', async () => {
    const { stateDir, open, setTime } = setupAuthority()
    await (await open())[Symbol.asyncDispose]()
    const safe = join(stateDir, '..', 'root.key')
    renameSync(join(stateDir, 'root.key'), safe)
    const authority = await open()
    expect(authority.isRootKeyPresent()).toBe(false)
    expect(authority.warnings()).toEqual([])
    const csr = await requestFor(MEMBER)
    const issued = await authority.issue({ csr, kind: 'signing', identity: MEMBER })
    authority.revoke(issued.serial, 'superseded')
    const [, signing] = await authority.revocationLists.issueNow()
    expect(parseCrl(signing!.der).entries.has(issued.serial)).toBe(true)
    const root = await authority.revocationLists.current('root')
    expect(root!.nextUpdate).toEqual(later(400))
    expect(readFileSync(join(stateDir, 'root.crl'))).toEqual(root!.der)

    setTime(later(372))
    await authority.revocationLists.refresh()
    expect((await authority.revocationLists.current('root'))!.number).toBe(1)
    expect(authority.warnings()).toEqual([
      expect.stringMatching(/^the revocation list of the root ends in 28 days: bring/),
    ])
    setTime(later(401))
    await authority.revocationLists.refresh()
    expect(authority.warnings()[0]).toContain('is over')
    await authority[Symbol.asyncDispose]()

    // The key is back for one start.
    renameSync(safe, join(stateDir, 'root.key'))
    const again = await open()
    const renewed = await again.revocationLists.current('root')
    expect(renewed).toMatchObject({ number: 2, thisUpdate: later(401), nextUpdate: later(801) })
    expect(again.warnings()).toEqual([])
  })

  it('warns in the log at 30, 14, 7 and 1 days, once each', async () => {
    const { stateDir, open, setTime } = setupAuthority()
    await (await open())[Symbol.asyncDispose]()
    renameSync(join(stateDir, 'root.key'), join(stateDir, 'away'))
    const authority = await open()
    const warned: string[] = []
    const logger = { warn: (text: string) => warned.push(text), error: () => undefined } as never
    let day = 0
    const clock = (): Date => later(day)
    const renewTls = (): Promise<void> => Promise.resolve()
    await using _upkeep = startUpkeep({ authority, logger, clock, renewTls }, 1)
    for (const [at, total] of [
      [369, 0],
      [371, 1],
      [380, 1],
      [387, 2],
      [394, 3],
      [399.5, 4],
    ] as const) {
      day = at
      setTime(later(at))
      await new Promise((done) => setTimeout(done, 60))
      expect(warned.filter((text) => text.includes('root'))).toHaveLength(total)
    }
  })

  it('key is needed again when an issuing authority is missing', async () => {
    const { stateDir, open } = setupAuthority()
    await (await open())[Symbol.asyncDispose]()
    renameSync(join(stateDir, 'root.key'), join(stateDir, 'away'))
    renameSync(join(stateDir, 'signing.pem'), join(stateDir, 'signing.pem.away'))
    await expect(open()).rejects.toThrow(ConfigError)
    expect(existsSync(join(stateDir, 'root.key'))).toBe(false)
  })
})

describe('revocation lists', () => {
  it('have numbers that go up, across restarts too', async () => {
    const { open } = setupAuthority()
    const first = await open()
    await first.revocationLists.issueNow()
    await Promise.all([first.revocationLists.issueNow(), first.revocationLists.issueNow()])
    await first[Symbol.asyncDispose]()
    const second = await open()
    const [list] = await second.revocationLists.issueNow()
    expect(list!.number).toBe(5)
    expect(parseCrl(list!.der).number).toBe(5n)
  })

  it('have numbers of their own when two processes have the same records', async () => {
    const { open } = setupAuthority()
    const both = [await open(), await open()]
    for (let i = 0; i < 5; i += 1) {
      await Promise.all(both.map(({ revocationLists }) => revocationLists.issueNow()))
    }
    const issued = both[0]!.journal
      .list(0, 1000)
      .filter(({ action }) => action === 'crl-issued')
      .map(({ subject, detail }) => `${subject} ${detail!.split(',')[0]}`)
    expect(new Set(issued).size).toBe(issued.length)
    expect(both[0]!.revocationLists.newest().map(({ number }) => number)).toEqual([1, 11, 11])
  })

  it('keep a certificate that is not over, when the clock had run ahead and was set back', async () => {
    const { open, setTime } = setupAuthority()
    const authority = await open()
    const csr = await requestFor(MEMBER)
    const order = { csr, kind: 'signing', identity: MEMBER, validityDays: 10 } as const
    const { serial } = await authority.issue(order)
    authority.revoke(serial, 'keyCompromise')
    for (const day of [0, 20, 21, 1, 2]) {
      setTime(later(day))
      const [, signing] = await authority.revocationLists.issueNow()
      if (day <= 10) expect(parseCrl(signing!.der).entries.has(serial), `day ${day}`).toBe(true)
    }
  })

  it('drop a certificate when one list after its end had it', async () => {
    const { open, setTime } = setupAuthority()
    const authority = await open()
    const csr = await requestFor(MEMBER)
    const order = { csr, kind: 'signing', identity: MEMBER, validityDays: 10 } as const
    const { serial } = await authority.issue(order)
    authority.revoke(serial, 'keyCompromise')
    const isListed = async (): Promise<boolean> => {
      const [, signing] = await authority.revocationLists.issueNow()
      return parseCrl(signing!.der).entries.has(serial)
    }
    for (const [day, expected] of [
      [1, true],
      [9, true],
      [11, true],
      [12, false],
      [13, false],
    ] as const) {
      setTime(later(day))
      expect(await isListed(), `day ${day}`).toBe(expected)
    }
  })
})

describe('keys', () => {
  it('are encrypted with the passphrase, and do not open without', async () => {
    const { stateDir, open } = setupAuthority()
    const passphrase = 'ពាក្យសម្ងាត់ passphrase'
    await (await open({ passphrase }))[Symbol.asyncDispose]()
    for (const name of ['root', 'authentication', 'signing', 'ocsp-signing', 'time-stamping']) {
      const pem = readFileSync(join(stateDir, `${name}.key`), 'utf8')
      expect(pem).toContain('ENCRYPTED PRIVATE KEY')
    }
    await expect(open()).rejects.toThrow(ConfigError)
    await expect(open({ passphrase: 'another' })).rejects.toThrow(ConfigError)
    const authority = await open({ passphrase })
    const key = await generateKey('P-256')
    const csr = (await createCsr({ identity: MEMBER, key })).pem
    expect((await authority.issue({ csr, kind: 'signing', identity: MEMBER })).serial).toBeTruthy()
  })

  it('of a folder of the older layout are refused with what to do', async () => {
    const { stateDir, open } = setupAuthority()
    const authority = await open()
    writeFileSync(join(stateDir, 'issuing.pem'), authority.root.pem)
    await authority[Symbol.asyncDispose]()
    await expect(open()).rejects.toThrow(/one issuing certificate.*stateDir.*--fresh/s)
  })
})

describe('the journal', () => {
  it('holds what was done, and cannot be changed', async () => {
    const authority = await setupAuthority().open()
    const csr = await requestFor(MEMBER)
    const { serial } = await authority.issue({ csr, kind: 'signing', identity: MEMBER })
    authority.revoke(serial, 'superseded')
    authority.revoke(serial, 'superseded')
    const entries = authority.journal.list(0, 100)
    const about = entries.filter(({ subject }) => subject === serial)
    expect(about.map(({ action }) => action)).toEqual(['certificate-issued', 'certificate-revoked'])
    expect(entries[0]).toMatchObject({ position: 1, action: 'authority-made' })
    expect(entries[0]!.at).toBe(NOW.toISOString())
    const [page] = authority.journal.list(3, 1)
    expect(page!.position).toBe(4)
  })
})
