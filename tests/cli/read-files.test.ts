/** Files of wanted state before anything is asked: what they mean, and every way in which they are wrong. */
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { DocumentError } from '../../cli/apply/faults.ts'
import { readWanted, type Wanted } from '../../cli/apply/wanted.ts'

const dir = mkdtempSync(join(tmpdir(), 'read-files-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const PROFILE = { instance: 'KH-DEV', gatewayNames: ['moi'] }
const HEAD = 'version: 1\ninstance: KH-DEV\n'
let files = 0

function write(content: string | Buffer, name = `f${files++}.yaml`): string {
  writeFileSync(join(dir, name), content)
  return join(dir, name)
}
const read = (...contents: string[]): Promise<Wanted> =>
  readWanted(
    contents.map((content) => write(content)),
    PROFILE,
  )
/** `LINE:COLUMN text` of each fault. */
async function faultsOf(...names: string[]): Promise<string[]> {
  const error = await readWanted(names, PROFILE).catch((thrown: unknown) => thrown)
  if (!(error instanceof DocumentError)) return expect.fail('it was read')
  return error.faults.map(
    ({ place, text }) => `${place.replace(/^.*\.(ya?ml|json):?/, '')} ${text}`,
  )
}
const faults = (body: string): Promise<string[]> => faultsOf(write(HEAD + body))

/** A service whose fields are in the body, indented by four. */
const service = (body: string): string => `services:\n  GOV/MOI/POP/persons:\n    ${body}\n`
const fieldsOf = ({ catalogue }: Wanted, section: string, key: string): object | undefined =>
  catalogue.find((each) => each.section.name === section)?.entries.get(key)?.fields

describe('what files mean', () => {
  it('takes no, yes and dates for texts, by the core schema of YAML 1.2', async () => {
    const wanted = await read(
      `${HEAD}${service('{ title: no, purposes: [yes, on, 2027-01-31, "1.10"] }')}`,
    )
    expect(fieldsOf(wanted, 'services', 'KH-DEV/GOV/MOI/POP/persons')).toEqual({
      title: 'no',
      purposes: ['yes', 'on', '2027-01-31', '1.10'],
    })
  })

  it('reads JSON, several documents in a file, several files, a folder; each id with or without its instance', async () => {
    mkdirSync(join(dir, 'folder'))
    write(JSON.stringify({ version: 1, instance: 'KH-DEV', members: {} }), 'folder/a.json')
    write(
      `${HEAD}members:\n  KH-DEV/GOV/A: { name: A }\n---\n${HEAD}members:\n  GOV/B: { name: B }\n`,
      'folder/b.yml',
    )
    write('no document', 'folder/notes.txt')
    const { catalogue } = await readWanted(
      [join(dir, 'folder'), write(`${HEAD}groups: {}\n`)],
      PROFILE,
    )
    expect(catalogue.map(({ section }) => section.name)).toEqual(['members', 'groups'])
    expect([...catalogue[0]!.entries.keys()]).toEqual(['KH-DEV/GOV/A', 'KH-DEV/GOV/B'])
  })

  it('reads the example', async () => {
    const example = join(import.meta.dirname, '../../examples/instance')
    const { catalogue, gateways } = await readWanted([example], PROFILE)
    expect(catalogue.map(({ section }) => section.name)).toContain('services')
    expect([...gateways.keys()]).toEqual(['moi'])
  })

  it('follows anchors and aliases', async () => {
    const wanted = await read(
      `${HEAD}services:\n  GOV/A/B/c: { title: C, titles: &t { en: One }, fees: *t }\n`,
    )
    expect(fieldsOf(wanted, 'services', 'KH-DEV/GOV/A/B/c')).toMatchObject({ fees: { en: 'One' } })
  })

  it('names a description by the digest of its JSON, whether it is YAML or JSON', async () => {
    write('openapi: 3.0.3\ninfo: { title: A, version: "1" }\npaths: {}\n', 'd.yml')
    write('{"openapi":"3.0.3","info":{"title":"A","version":"1"},"paths":{}}', 'd.json')
    const wanted = await read(
      `${HEAD}services:\n  GOV/A/B/c: { description: d.yml }\n  GOV/A/B/d: { description: d.json }\n`,
    )
    const [c, d] = ['c', 'd'].map((code) => fieldsOf(wanted, 'services', `KH-DEV/GOV/A/B/${code}`))
    expect(c).toEqual(d)
    expect(wanted.documents.size).toBe(1)
  })
})

describe('what is wrong in files', () => {
  const rows: [string, string, string[]][] = [
    [
      'a key that is there twice',
      'members:\n  GOV/A: { name: A }\n  GOV/A: { name: B }\n',
      ['5:3 GOV/A is there twice'],
    ],
    [
      'a tab for indentation',
      'members:\n\tGOV/A: { name: A }\n',
      ['4:1 Tabs are not allowed as indentation'],
    ],
    [
      'a tag that would make an object',
      'groups: !!js/function "x"\n',
      ['3:9 Unresolved tag: tag:yaml.org,2002:js/function'],
    ],
    ['a key that is no text', '? [1]\n: 2\n', ['3:3 a key is a text']],
    [
      'a number where a text belongs',
      service('{ title: T, version: 1.10 }'),
      ['5:26 /services/GOV~1MOI~1POP~1persons/version: must be string, and is number'],
    ],
    [
      'an unknown key, with the name that was meant',
      service('{ titel: T }'),
      ['5:7 /services/GOV~1MOI~1POP~1persons: unknown key titel; did you mean title?'],
    ],
    ['an unknown section', 'memebrs: {}\n', ['3:1 /: unknown key memebrs; did you mean members?']],
    [
      '__proto__',
      service('{ title: T, __proto__: { admin: true } }'),
      ['5:17 /services/GOV~1MOI~1POP~1persons: unknown key __proto__; known are'],
    ],
    [
      'merge keys, which YAML 1.2 does not have',
      service('{ <<: { title: T } }'),
      ['5:7 /services/GOV~1MOI~1POP~1persons: unknown key <<'],
    ],
    [
      'a word that is none of the known',
      service('{ title: T, classification: secret }'),
      [
        '5:33 /services/GOV~1MOI~1POP~1persons/classification: write one of public, internal, personal, sensitive',
      ],
    ],
    [
      'an id with too few parts',
      'subsystems:\n  GOV/MOI: { name: A }\n',
      ['4:3 subsystem GOV/MOI: write CLASS/MEMBER/SUBSYSTEM'],
    ],
    ['an id with a part that is none', 'members:\n  GOV/..: { name: A }\n', ['4:3 member GOV/..']],
    [
      'a gateway that the profile does not name',
      'gatewaySettings:\n  other: {}\n',
      ['4:3 no gateway other in the profile; there is moi'],
    ],
    [
      'a deprecated service without a date',
      service('{ title: T, state: deprecated }'),
      ['5:24 /services/GOV~1MOI~1POP~1persons/state: what is deprecated has a sunset'],
    ],
    [
      'a date that is none',
      service('{ state: deprecated, sunset: soon }'),
      ['5:34 /services/GOV~1MOI~1POP~1persons/sunset: write a time by RFC 3339'],
    ],
    [
      'a description that is not there',
      service('{ title: T, description: none.json }'),
      ['5:30 /services/GOV~1MOI~1POP~1persons/description: none.json cannot be read (ENOENT)'],
    ],
    [
      'a certificate that is none',
      'members:\n  GOV/A: { name: A, certificates: ["-----BEGIN CERTIFICATE-----"] }\n',
      ['4:36 /members/GOV~1A/certificates/0: '],
    ],
  ]
  it.each(rows)('tells the place of %s', async (_what, body, expected) => {
    const found = await faults(body)
    expect(found.map((text, i) => text.slice(0, expected[i]?.length ?? 0))).toEqual(expected)
  })

  it('tells all faults together, of all files', async () => {
    const one = write(`${HEAD}members:\n  GOV/A: { nam: A }\n  GOV/B: { name: 7 }\n`)
    const other = write('version: 2\n')
    expect(await faultsOf(one, other)).toEqual([
      '4:12 /members/GOV~1A: unknown key nam; did you mean name?',
      '5:18 /members/GOV~1B/name: must be string, and is number',
      expect.stringMatching(/^1:1 \/: must have required property 'instance'/),
      expect.stringMatching(/^1:10 \/version: write one of 1/),
    ])
  })

  it('refuses what is for another instance, and what two files say of one thing', async () => {
    expect(await faultsOf(write('version: 1\ninstance: KH-PROD\n'))).toEqual([
      '2:11 /instance: it is for KH-PROD, and the profile is of KH-DEV',
    ])
    const member = `${HEAD}members:\n  GOV/A: { name: A }\n`
    const first = write(member)
    const second = write(member.replace('GOV/A', 'KH-DEV/GOV/A'))
    expect(await faultsOf(first, second)).toEqual([`4:3 member is at ${first}:4:3 already`])
  })

  it('refuses aliases that multiply, and nesting without end', async () => {
    const lines = ['members: &a0 [x, x, x, x, x, x, x, x, x]']
    for (let i = 1; i < 9; i++) {
      lines.push(`m${i}: &a${i} [${Array.from({ length: 9 }, () => `*a${i - 1}`).join(', ')}]`)
    }
    expect(await faults(`${lines.join('\n')}\n`)).toEqual(['1:1 has more than 100 aliases'])
    expect((await faults(`members: ${'['.repeat(20_000)}`))[0]).toMatch(/^3:\d+ /)
  })

  it('refuses files that are not there, empty, no UTF-8, or huge, and folders of nothing', async () => {
    const huge = write('')
    truncateSync(huge, 65 * 1024 * 1024)
    mkdirSync(join(dir, 'nothing'))
    expect(await faultsOf(join(dir, 'missing.yaml'))).toEqual([' cannot be read (ENOENT)'])
    expect(await faultsOf(write(''))).toEqual([' is empty'])
    expect(await faultsOf(write(Buffer.from([0x61, 0xff])))).toEqual([' is no UTF-8'])
    expect(await faultsOf(huge)).toEqual([' has 68157440 bytes, more than 67108864'])
    expect(await faultsOf(join(dir, 'nothing'))).toEqual([
      expect.stringMatching(/holds no \.yaml, \.yml or \.json file$/),
    ])
  })
})
