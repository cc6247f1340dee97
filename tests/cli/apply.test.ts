/** `spean apply`, `diff` and `export` as processes, against a catalogue of their own. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  describe as descriptionOf,
  startApply,
  type ApplyRun,
  type Ended,
} from './apply-support.ts'

let run: ApplyRun
beforeAll(async () => {
  run = await startApply()
  const { running, write } = run
  write('chain.pem', running.authority.pems.join('\n'))
  const identity = { instance: 'KH-DEV', memberClass: 'GOV', member: 'MOI' }
  const signing = await running.authority.issue('signing', identity)
  const authentication = await running.authority.issue('authentication', {
    ...identity,
    gateway: 'GW',
  })
  write('signing.pem', signing.pem + running.authority.issuing.certificate.pem)
  write('authentication.pem', authentication.pem)
  write('things.json', JSON.stringify(descriptionOf('name', 'born')))
  write('instance.yaml', INSTANCE)
})
afterAll(() => run[Symbol.asyncDispose]())

const INSTANCE = `
version: 1
instance: KH-DEV
authorities:
  test: { certificates: [chain.pem] }
members:
  GOV/MOI: { name: Interior, certificates: [signing.pem] }
subsystems:
  GOV/MOI/POP: { name: Population }
gateways:
  GOV/MOI/GW: { address: "https://localhost:5500", clients: [GOV/MOI/POP], certificates: [authentication.pem] }
groups:
  banks: { title: Banks, members: [GOV/MOI/POP] }
services:
  GOV/MOI/POP/persons:
    title: Persons
    description: things.json
    classification: internal
    validation: report
    titles: { en: Persons, km: មនុស្ស, lo: ຄົນ }
    serviceLevel: { availabilityPercent: 99.5 }
    purposes: [no]
  GOV/MOI/POP/old:
    title: Old
    state: deprecated
    sunset: 2090-01-01T00:00:00+07:00
    successor: GOV/MOI/POP/persons
  GOV/MOI/POP/draft: { title: Draft, state: draft }
stops:
  GOV/MOI/POP/draft: { reason: no }
witnesses: {}
witnessPolicy: { quorum: none }
webhooks:
  - { url: "https://hooks.example/in?token=s3cret", services: [GOV/MOI/POP/persons] }
`
const apply = (file: string, ...more: string[]): Promise<Ended> =>
  run.spean(['apply', '-f', file, '--yes', ...more])
/** A file with a head and this. */
const wanted = (body: string): string =>
  run.write('wanted.yaml', `version: 1\ninstance: KH-DEV\n${body}`)

describe('apply', () => {
  it('shows what it would do, changes nothing without yes, makes it so, and then has nothing to do', async () => {
    const before = await run.spean(['diff', '-f', 'instance.yaml'])
    expect(before.code).toBe(3)
    expect(before.out).toContain('+ service KH-DEV/GOV/MOI/POP/persons')
    expect(before.out).toContain('plan: 10 to create, 0 to change, 0 to delete')
    const unasked = await run.spean(['apply', '-f', 'instance.yaml'], { input: '' })
    expect([unasked.code, unasked.err]).toEqual([2, expect.stringContaining('--yes')])
    expect((await run.running.call('GET', '/admin/members')).body.members).toEqual([])

    const made = await apply('instance.yaml')
    expect([made.code, made.err]).toEqual([0, ''])
    expect(made.out).toMatch(/10\/10 created webhook .*\nsnapshot \d+\n$/s)
    for (const { out, err } of [before, made]) expect(out + err).not.toContain('s3cret')
    const again = await apply('instance.yaml')
    expect([again.code, again.out]).toEqual([0, 'nothing to change\n'])
    const { body } = await run.running.call('GET', '/admin/services/GOV/MOI/POP/old')
    expect(body).toMatchObject({
      state: 'deprecated',
      sunset: '2089-12-31T17:00:00.000Z',
      successor: 'KH-DEV/GOV/MOI/POP/persons',
    })
  })

  it('takes back what export writes, as the same', async () => {
    const gone = '/admin/services/GOV/MOI/POP/gone'
    await run.running.call('PUT', gone, { body: { title: 'Gone' } })
    await run.running.call('POST', `${gone}/retire`, { body: { reason: 'closed' } })
    const { out } = await run.spean(['export'])
    const again = await run.spean(['apply', '-f', '-', '--dry-run', '--prune'], { input: out })
    expect([again.code, again.out, again.err]).toEqual([0, 'nothing to change\n', ''])
    // And makes another catalogue the same
    await using other = await startApply()
    const copied = await other.spean(['apply', '-f', other.write('copy.yaml', out), '--yes'])
    expect([copied.code, copied.err]).toEqual([0, ''])
    expect((await other.spean(['export'])).out).toBe(out)
    await run.running.call('DELETE', gone)
  })

  it('changes what the file says and leaves alone what it leaves out; null takes away', async () => {
    const file = wanted(
      'services:\n  GOV/MOI/POP/persons: { validation: null, fees: { en: Free }, purposes: null }\n',
    )
    const { out } = await run.spean(['diff', '-f', file, '--json'])
    const { steps } = JSON.parse(out) as { steps: { fields: object[] }[] }
    expect(steps[0]?.fields).toHaveLength(3)
    expect((await apply(file)).out).toContain('changed service KH-DEV/GOV/MOI/POP/persons')
    const { body } = await run.running.call('GET', '/admin/service-contents')
    const persons = (body.services as { id: string }[]).find(({ id }) => id.endsWith('persons'))
    expect(persons).toMatchObject({ classification: 'internal', entry: { fees: { en: 'Free' } } })
    expect(persons).not.toHaveProperty('validation')
    expect(persons).not.toHaveProperty('entry.purposes')
    expect((await apply(file)).out).toMatch(/^nothing to change; 2 in no file/)
  })

  it('deletes with --prune only, in the sections of the file only, what stands below first', async () => {
    const file = wanted('subsystems: {}\nservices: {}\nstops: {}\n')
    const kept = await apply(file)
    expect(kept.out).toMatch(/^nothing to change; 5 in no file/)
    const refused = await apply(file, '--prune')
    expect(refused.code).toBe(1)
    // Described and published: the catalogue wants a reason
    expect(refused.err).toContain('service.change-too-early')
    expect(refused.out).toContain('deleted service KH-DEV/GOV/MOI/POP/draft')
    expect((await run.running.call('GET', '/admin/members')).body.members).toHaveLength(1)
    expect((await apply('instance.yaml')).code).toBe(0)
  })
})

describe('what the catalogue decides', () => {
  it('shows how a description differs before, and refuses a breaking one without a new version', async () => {
    run.write('broken.json', JSON.stringify(descriptionOf('name')))
    const file = wanted('services:\n  GOV/MOI/POP/persons: { description: broken.json }\n')
    const { code, out } = await run.spean(['diff', '-f', file])
    expect([code, out]).toEqual([
      3,
      expect.stringContaining('the change is breaking: version 1.0.0'),
    ])
    expect(out).toContain('born')
    const refused = await apply(file)
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringContaining('service.version-too-low'),
    ])

    const higher = wanted(
      'services:\n  GOV/MOI/POP/persons: { description: broken.json, version: 2.0.0 }\n',
    )
    expect((await apply(higher)).out).toContain('version 2.0.0 is planned for')
    const again = await apply(higher)
    expect([again.code, again.out]).toEqual([
      0,
      expect.stringContaining('nothing to change; 1 planned'),
    ])
    const titled = 'description: broken.json, version: 2.0.0, title: People'
    const file2 = wanted(`services:\n  GOV/MOI/POP/persons: { ${titled} }\n`)
    expect((await apply(file2)).out).toContain('version 2.0.0 is planned for')
    expect((await apply(file2)).out).toContain('nothing to change; 1 planned')
    // What is decided at once is, without what is planned
    const both = 'description: broken.json, version: 2.0.0, classification: personal'
    const now = await apply(wanted(`services:\n  GOV/MOI/POP/persons: { ${both} }\n`))
    expect([now.code, now.out]).toEqual([0, expect.stringContaining('1 to change')])
    const path = '/admin/services/GOV/MOI/POP/persons'
    expect((await run.running.call('GET', path)).body).toMatchObject({
      ...{ version: '1.0.0', classification: 'personal' },
      planned: { version: '2.0.0' },
    })
    await run.running.call('POST', `${path}/withdraw`, { body: {} })
    const none = 'description: null, validation: null, version: 2.0.0'
    const bare = wanted(`services:\n  GOV/MOI/POP/persons: { ${none} }\n`)
    expect((await apply(bare)).out).toContain('version 2.0.0 is planned for')
    expect((await apply(bare)).out).toContain('nothing to change; 1 planned')
    await run.running.call('POST', `${path}/withdraw`, { body: {} })
  })

  it('refuses a description that is none before anything is changed', async () => {
    run.write('bad.json', '{"openapi":"3.0.3","info":{"title":"x"},"paths":{"things":{}}}')
    const file = wanted(
      'groups:\n  new: { title: New, members: [] }\nservices:\n  GOV/MOI/POP/persons: { description: bad.json }\n',
    )
    const { code, err } = await apply(file)
    expect([code, err]).toEqual([1, expect.stringContaining('nothing was changed')])
    expect(err).toContain('service KH-DEV/GOV/MOI/POP/persons: admin.invalid: description')
    expect((await run.running.call('GET', '/admin/groups')).body.groups).toHaveLength(1)
  })

  it('does the rest when one is refused, leaves what stands below it, and finishes when run again', async () => {
    const body = (memberClass: string): string =>
      `members:\n  ${memberClass}/MEF: { name: Finance }\n  ORG/RC: { name: Cross }\nsubsystems:\n  ${memberClass}/MEF/TAX: { name: Tax }\n`
    const { code, out, err } = await apply(wanted(body('NONE')))
    expect([code, out]).toEqual([1, expect.stringContaining('created member KH-DEV/ORG/RC')])
    expect(err).toContain('member KH-DEV/NONE/MEF: refused (admin.invalid): class')
    expect(err).toContain(
      'not done:\n  subsystem KH-DEV/NONE/MEF/TAX: member KH-DEV/NONE/MEF is not there yet',
    )
    const again = await apply(wanted(body('GOV')))
    expect([again.code, again.out]).toEqual([0, expect.stringContaining('2/2 created subsystem')])
  })

  it('killed in the middle, it goes on where it was', async () => {
    const services = Array.from({ length: 30 }, (_, i) => `  GOV/MOI/POP/s${i}: { title: S${i} }\n`)
    const file = wanted(`services:\n${services.join('')}`)
    const killed = await run.spean(['apply', '-f', file, '--yes'], {
      killAfter: (out) => out.includes('5/30 created'),
    })
    expect(killed.code).not.toBe(0)
    const rest = await apply(file)
    expect(rest.code).toBe(0)
    expect(rest.out).toMatch(/plan: [1-9]\d? to create, 0 to change/)
    expect(rest.out).not.toContain('plan: 30 to create')
    expect((await apply(file)).out).toMatch(/^nothing to change/)
  })
})

describe('lower roles', () => {
  it('ask for what needs approval, once, and go on when it is approved', async () => {
    const made = await run.running.call('POST', '/admin/keys', {
      body: { name: 'moi', role: 'member-admin', scope: ['KH-DEV/GOV/MOI'], person: 'Dara' },
    })
    run.withKey('moi', String(made.body.key))
    const options = { profile: 'moi.json' }
    const file = wanted(
      'subsystems:\n  GOV/MOI/LAND: { name: Land }\nservices:\n  GOV/MOI/LAND/plots: { title: Plots, titles: { en: Plots } }\n',
    )
    const args = ['apply', '-f', file, '--yes']
    const asked = await run.spean(args, options)
    expect([asked.code, asked.err]).toEqual([0, ''])
    const [, id = ''] = /waits for approval \(request (\S+)\)/.exec(asked.out) ?? []
    expect(asked.out).toContain('not yet: service KH-DEV/GOV/MOI/LAND/plots')
    const again = await run.spean(args, options)
    expect([again.code, again.out]).toEqual([0, expect.stringContaining(`request ${id}`)])
    const requests = await run.running.call('GET', '/admin/requests?state=pending')
    expect(requests.body.requests).toHaveLength(1)

    const approve = async (which: string): Promise<void> => {
      const body = { reason: 'good' }
      const answer = await run.running.call('POST', `/admin/requests/${which}/approve`, { body })
      expect(answer.status).toBe(200)
    }
    await approve(id)
    const next = await run.spean(args, options)
    const [, second = ''] = /waits for approval \(request (\S+)\)/.exec(next.out) ?? []
    await approve(second)
    const last = await run.spean(args, options)
    expect([last.code, last.out]).toEqual([0, expect.stringContaining('changed service')])
    expect((await run.spean(args, options)).out).toMatch(/^nothing to change/)
  })

  it('are told what is not theirs before anything is changed, and prune nobody else', async () => {
    const options = { profile: 'moi.json' }
    const groups = wanted(
      'subsystems:\n  GOV/MOI/LAND: { name: L }\ngroups:\n  banks: { title: B }\n',
    )
    const { code, err } = await run.spean(['apply', '-f', groups, '--yes'], options)
    expect([code, err]).toEqual([
      1,
      'nothing was changed:\ngroup banks: the role member-admin cannot change it\n',
    ])
    const stops = await run.spean(['diff', '-f', wanted('stops: {}\n')], options)
    expect([stops.code, stops.err]).toEqual([1, expect.stringContaining('stops: this is for')])
    const pruned = await run.spean(['diff', '-f', wanted('subsystems: {}\n'), '--prune'], options)
    expect(pruned.out).toContain('- subsystem KH-DEV/GOV/MOI/LAND')
    expect(pruned.out).not.toContain('GOV/MEF')
  })

  it('have webhooks of their own, which a file of the operator neither has nor prunes', async () => {
    const args = ['apply', '-f', wanted('webhooks:\n  - url: https://moi.example/in\n'), '--yes']
    const options = { profile: 'moi.json' }
    const made = await run.spean(args, options)
    expect([made.err, made.out]).toEqual(['', expect.stringContaining('1/1 created webhook')])
    expect((await run.spean(args, options)).out).toMatch(/^nothing to change/)
    expect((await run.spean(['export', '--only', 'webhooks'])).out).not.toContain('moi.example')
    expect((await apply(wanted('webhooks: []\n'), '--prune')).out).not.toContain('moi.example')
    const { body } = await run.running.call('GET', '/admin/webhooks')
    expect(body.webhooks).toMatchObject([{ url: 'https://moi.example/in' }])
  })
})
