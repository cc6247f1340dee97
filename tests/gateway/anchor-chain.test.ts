/** A gateway's side of a rotation, against the real catalogue. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { openSnapshotClient, type SnapshotClient } from '../../gateway/catalogue/snapshot-client.ts'
import { LIMITS } from '../../protocol/limits.ts'
import type { Anchor } from '../../protocol/snapshot.ts'
import { ConfigError } from '../../runtime/config.ts'
import { openKeyRing, type RingKey } from '../../service-catalogue/key-ring.ts'
import { freePort } from '../support/http.ts'
import {
  createAuthority,
  createConfig,
  readAnchor,
  startTestCatalogue,
  temporaryFolder,
  writeServerCertificate,
  type Running,
} from '../service-catalogue/support.ts'
import { announce, makeKey, poseAs, sign, type Posing } from './posing-catalogue.ts'
import { silent } from './support.ts'

const open: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of open.splice(0).toReversed()) await one[Symbol.asyncDispose]()
})

async function catalogueAt(port: number, given: Partial<Running> = {}): Promise<Running> {
  const authority = given.authority ?? (await createAuthority())
  const publicUrl = `https://127.0.0.1:${port}`
  const config = given.config ?? (await createConfig(authority, { port, publicUrl }))
  const running = await startTestCatalogue({ ...given, authority, config })
  open.push(running)
  return running
}

/** A gateway's client, on the anchor file as it was at some time. */
async function follow(anchor: Anchor, dir = temporaryFolder()): Promise<SnapshotClient> {
  const common = { dir, pollSeconds: 1, clock: () => new Date(), logger: silent }
  const client = await openSnapshotClient({ anchor, ...common })
  open.push(client)
  return client
}
async function pose({ config }: Running): Promise<Posing> {
  const posing = await poseAs(config)
  open.push(posing)
  return posing
}
const step = async ({ call }: Running, name: string, force = true): Promise<void> => {
  const body = name === 'switch' || name === 'retire' ? { force } : {}
  const answer = await call('POST', `/admin/anchor/${name}`, { body })
  expect([name, answer.status]).toEqual([name, 200])
}
const rotate = async (running: Running): Promise<void> => {
  for (const name of ['prepare', 'switch', 'retire']) await step(running, name)
}
/** The key that signs, as a thief copies it. */
async function steal({ config }: Running): Promise<RingKey> {
  const folder = temporaryFolder()
  cpSync(join(config.stateDir, 'snapshot.key'), join(folder, 'snapshot.key'))
  return (await openKeyRing(folder)).first!
}
const until = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 15_000 })

describe('a rotation', () => {
  it('is followed while it goes on: no moment without a snapshot', async () => {
    const running = await catalogueAt(await freePort())
    const dir = temporaryFolder()
    const given = readAnchor(running.catalogue.anchorFile)
    const client = await follow(given, dir)
    const numbers: number[] = []
    client.subscribe(({ number }) => numbers.push(number))
    for (const [index, name] of ['prepare', 'switch', 'retire'].entries()) {
      await step(running, name)
      await until(() => expect(client.newest?.number).toBe(index + 2))
      expect(client.current(new Date()).number).toBe(index + 2)
    }
    expect(numbers).toEqual([1, 2, 3, 4])
    expect(client.anchorState).toMatchObject({ number: 3, fault: undefined })
    expect(client.anchorState.keys).not.toContain(given.keys[0]!.kid)
    expect(client.anchor.keys).toEqual(running.catalogue.anchor().keys)
  })

  it('is made up for by one that was off during two of them, and kept across its restarts', async () => {
    const running = await catalogueAt(await freePort())
    const given = readAnchor(running.catalogue.anchorFile)
    const dir = temporaryFolder()
    await (await follow(given, dir))[Symbol.asyncDispose]()
    await rotate(running)
    await rotate(running)
    const awake = await follow(given, dir)
    await until(() => expect(awake.newest?.number).toBe(running.catalogue.snapshotNumber()))
    expect(awake.anchorState.number).toBe(5)
    await awake[Symbol.asyncDispose]()
    await running[Symbol.asyncDispose]()
    const alone = await follow(given, dir) // the catalogue is off: by what is on disk
    expect(alone.current(new Date()).number).toBe(running.catalogue.snapshotNumber())
    expect(alone.anchorState.number).toBe(5)
    expect(alone.anchorState.adoptedAt).toBeDefined()
  })

  it('waits for the disk: what a crash would take away is not used', async () => {
    const running = await catalogueAt(await freePort())
    const dir = temporaryFolder()
    const given = readAnchor(running.catalogue.anchorFile)
    const client = await follow(given, dir)
    const inTheWay = join(dir, 'anchor.json.new') // what is written before it is put in place
    mkdirSync(inTheWay)
    await step(running, 'prepare')
    await until(() => expect(client.newest?.number).toBe(2)) // the key is known still
    await until(() => expect(client.anchorState.fault).toContain('EISDIR'))
    expect([client.anchorState.number, client.anchor.keys]).toEqual([1, given.keys])
    rmdirSync(inTheWay)
    await until(() => expect(client.anchorState).toMatchObject({ number: 2, fault: undefined }))
  })

  it('of the roots comes before the certificate of the server changes', async () => {
    const running = await catalogueAt(await freePort())
    const { config, catalogue } = running
    const client = await follow(readAnchor(catalogue.anchorFile))
    const next = await createAuthority('Next')
    writeFileSync(
      config.rootCertificateFile,
      running.authority.root.certificate.pem + next.root.certificate.pem,
    )
    await until(() => expect(client.anchorState.number).toBe(2))
    await running[Symbol.asyncDispose]()
    await writeServerCertificate(next, config)
    const again = await catalogueAt(config.port, { ...running, authority: next })
    await again.call('PUT', '/admin/members/GOV/MOI', { body: { name: 'Interior' } })
    await until(() => expect(client.newest?.number).toBe(again.catalogue.snapshotNumber()))
  })

  it('of the address is followed once the new one answers', async () => {
    const running = await catalogueAt(await freePort())
    const port = await freePort()
    const moved = { ...running.config, publicUrl: `https://localhost:${port}` }
    const given = readAnchor(running.catalogue.anchorFile)
    const dir = temporaryFolder()
    const client = await follow(given, dir)
    await running[Symbol.asyncDispose]()
    const same = await catalogueAt(moved.port, { ...running, config: moved })
    await until(() => expect(client.anchorState.number).toBe(2))
    await until(() => expect(client.anchorState.fault).toContain('does not answer yet'))
    expect(client.anchorState.catalogueUrl).toBe(given.catalogueUrl)
    await same[Symbol.asyncDispose]()
    await catalogueAt(port, { ...running, config: { ...moved, port } })
    await until(() => expect(client.anchorState.catalogueUrl).toBe(moved.publicUrl))
    await until(() => expect(client.anchorState.fault).toBeUndefined())
  }, 60_000)
})

describe('a key that was stolen', () => {
  it('signs nothing any more once it is replaced, and the refusal says so', async () => {
    const running = await catalogueAt(await freePort())
    const client = await follow(readAnchor(running.catalogue.anchorFile))
    const stolen = await steal(running)
    await step(running, 'replace')
    await until(() => expect(client.newest?.number).toBe(2))
    expect(existsSync(join(running.config.stateDir, 'snapshot.key'))).toBe(false)
    const snapshot = { ...(await running.snapshot()), number: 99 }
    await running[Symbol.asyncDispose]()
    const thief = await pose(running)
    thief.answers.set('/snapshot', await sign(snapshot, stolen))
    await until(() => expect(client.health.fault).toContain('left out: it signs nothing any more'))
    expect(client.health.refused).toBe('catalogue.unavailable')
    expect(client.current(new Date()).number).toBe(2)
  })

  it('leaves nothing to go on by: told of it once more, a gateway that dropped it says why', async () => {
    const running = await catalogueAt(await freePort())
    const dir = temporaryFolder()
    const given = readAnchor(running.catalogue.anchorFile)
    await (await follow(given, dir))[Symbol.asyncDispose]()
    await step(running, 'replace')
    const statement = (await running.call('GET', '/anchors/2')).text
    await running[Symbol.asyncDispose]()
    // As between the announcement and the first snapshot of the new key, for as long as it takes
    const posing = await pose(running)
    posing.tag = '"1"'
    posing.answers.set('/snapshot', readFileSync(join(dir, 'snapshot.jws'), 'latin1'))
    posing.answers.set('/anchors/2', statement)
    const again = await follow(given, dir)
    await until(() => expect(again.anchorState.number).toBe(2))
    await until(() => expect(again.health.fault).toContain('left out: it signs nothing any more'))
    expect(again.newest).toBeUndefined()
    expect(() => again.current(new Date())).toThrow('has not yet got a snapshot')
  })

  it('leaves no number behind that nobody can reach, and nothing of what it signed', async () => {
    const running = await catalogueAt(await freePort())
    const client = await follow(readAnchor(running.catalogue.anchorFile))
    const stolen = await steal(running)
    const snapshot = { ...(await running.snapshot()), number: Number.MAX_SAFE_INTEGER }
    await running[Symbol.asyncDispose]()
    const thief = await pose(running)
    thief.answers.set('/snapshot', await sign(snapshot, stolen))
    await until(() => expect(client.newest?.number).toBe(Number.MAX_SAFE_INTEGER))
    await thief[Symbol.asyncDispose]()
    const back = await catalogueAt(running.config.port, running)
    await until(() => expect(client.health.refused).toBe('catalogue.outdated'))
    await step(back, 'replace')
    await until(() => expect(client.newest?.number).toBe(back.catalogue.snapshotNumber()))
    expect(client.health.refused).toBeUndefined()
  })
})

describe('a statement', () => {
  const BAD: [name: string, code: string, make: (had: Had) => Promise<string | undefined>][] = [
    ['that is garbage', 'anchor.malformed', async () => '<!doctype html>'],
    ['that is huge', 'anchor.malformed', async () => ' '.repeat(LIMITS.anchorBytes + 1)],
    [
      'that the anchor before did not sign',
      'anchor.signature-invalid',
      ({ anchor, other }) => announce(anchor, { keys: [other], signers: [other] }),
    ],
    [
      'that its new key did not sign',
      'anchor.signature-invalid',
      ({ anchor, own, other }) => announce(anchor, { keys: [own, other], signers: [own] }),
    ],
    [
      'of another instance',
      'anchor.not-next',
      ({ anchor, own, other }) =>
        announce(anchor, { keys: [other], signers: [own, other] }, { instance: 'EE' }),
    ],
    [
      'that is the anchor at hand once more',
      'anchor.not-next',
      ({ anchor, own, other }) =>
        announce(anchor, { keys: [other], signers: [own, other] }, { number: 2 }),
    ],
    [
      'that jumps',
      'anchor.not-next',
      ({ anchor, own, other }) =>
        announce(anchor, { keys: [other], signers: [own, other] }, { number: 4 }),
    ],
    [
      'of a root that nobody can read',
      'anchor.malformed',
      ({ anchor, own, other }) => {
        const rootCertificates = ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----']
        return announce(anchor, { keys: [other], signers: [own, other] }, { rootCertificates })
      },
    ],
    ['that is withheld', 'catalogue.unavailable', async () => undefined],
  ]
  interface Had {
    readonly anchor: Anchor
    readonly own: RingKey
    readonly other: RingKey
  }

  it('that is bad changes nothing, and has its code', async () => {
    const running = await catalogueAt(await freePort())
    const given = readAnchor(running.catalogue.anchorFile)
    const own = await steal(running)
    const snapshot = await running.snapshot()
    await running[Symbol.asyncDispose]()
    const posing = await pose(running)
    const keeping = await makeKey()
    // Anchor 2, so that one of the same number can come again
    posing.answers.set(
      '/anchors/2',
      await announce(given, { keys: [own, keeping], signers: [own, keeping] }),
    )
    posing.answers.set('/snapshot', await sign(snapshot, own, { anchor: 2 }))
    const client = await follow(given)
    await until(() => expect(client.anchorState.number).toBe(2))
    const other = await makeKey()
    const { anchor } = client
    const jws = await sign({ ...snapshot, number: 7 }, other, { anchor: 3 })
    posing.answers.set('/snapshot', jws)
    for (const [name, code, make] of BAD) {
      const statement = await make({ anchor, own, other })
      if (statement === undefined) posing.answers.delete('/anchors/3')
      else posing.answers.set('/anchors/3', statement)
      await until(() => expect([name, client.health.refused]).toEqual([name, code]))
      expect(client.anchorState.number).toBe(2)
      expect(client.current(new Date()).number).toBe(1)
    }
    const fork = { keys: [own, other], signers: [own, other] }
    posing.answers.set('/anchors/2', await announce(given, fork))
    await until(() => expect(client.health.fault).toContain('two anchors with the number 2'))
    expect(client.health.refused).toBe('anchor.not-next')
    posing.answers.set('/anchors/3', await announce(anchor, { ...fork, keys: [other] }))
    await until(() => expect(client.newest?.number).toBe(7))
  }, 60_000)
})

describe('the anchor file of the person', () => {
  it('counts when its number is higher: after all keys were lost', async () => {
    const running = await catalogueAt(await freePort())
    const dir = temporaryFolder()
    const client = await follow(readAnchor(running.catalogue.anchorFile), dir)
    await step(running, 'prepare')
    await until(() => expect(client.anchorState.number).toBe(2))
    await running[Symbol.asyncDispose]()
    const { stateDir } = running.config
    rmSync(join(stateDir, 'snapshot-2.key'))
    rmSync(join(stateDir, 'snapshot.key'))
    await expect(startTestCatalogue(running)).rejects.toThrow(ConfigError)
    cpSync((await makeKey()).file, join(stateDir, 'snapshot.key'))
    const anew = await catalogueAt(running.config.port, running)
    await until(() => expect(client.health.fault).toContain('and there is no anchor 3'))
    await client[Symbol.asyncDispose]()
    const given = readAnchor(anew.catalogue.anchorFile)
    expect(given.number).toBe(3)
    const carried = await follow(given, dir)
    await until(() => expect(carried.newest?.number).toBe(anew.catalogue.snapshotNumber()))
    expect(carried.anchorState).toMatchObject({ number: 3, adoptedAt: undefined })
  })

  it('does not bring a gateway back to an older one', async () => {
    const running = await catalogueAt(await freePort())
    const given = readAnchor(running.catalogue.anchorFile)
    const dir = temporaryFolder()
    const client = await follow(given, dir)
    await rotate(running)
    await until(() => expect(client.anchorState.number).toBe(3))
    await client[Symbol.asyncDispose]()
    const again = await follow({ ...given, rootCertificates: [...given.rootCertificates] }, dir)
    expect(again.anchorState.number).toBe(3)
    await again[Symbol.asyncDispose]()
    const other = { ...given, number: 3, keys: [(await makeKey()).publicJwk] as Anchor['keys'] }
    const replaced = await follow(other, dir) // the same number, other keys: the person's word
    expect(replaced.anchorState).toMatchObject({ number: 3, keys: [other.keys[0]!.kid] })
    await replaced[Symbol.asyncDispose]()
    writeFileSync(join(dir, 'anchor.json'), '{"anchor":{}}')
    await expect(follow(given, dir)).rejects.toThrow(ConfigError)
  })
})
