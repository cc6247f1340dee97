import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestCatalogue, type Answer, type Running } from './support.ts'

let running: Running
beforeAll(async () => {
  running = await startTestCatalogue()
  for (const [code, name] of [
    ['MOI', 'Interior'],
    ['MOC', 'Commerce'],
  ] as const) {
    await running.call('PUT', `/admin/members/GOV/${code}`, { body: { name } })
    await running.call('PUT', `/admin/subsystems/GOV/${code}/REG`, { body: { name } })
  }
  const mark = (classification: string) => ({ 'x-spean-classification': classification })
  const description = {
    openapi: '3.1.0',
    info: { title: 'x', version: '1' },
    paths: { '/persons': { get: {} } },
    components: { schemas: { Person: { properties: { birthDate: mark('personal'), age: {} } } } },
  }
  await put('MOI/REG/persons', { title: 'Persons', classification: 'personal', description })
  await put('MOC/REG/companies', { title: 'Companies', classification: 'public' })
  await put('MOC/REG/hidden', { title: 'Companies to come', state: 'draft' })
  expect(outcome(await entry('MOI/REG/persons', PERSONS))).toEqual([200, undefined])
  expect(outcome(await entry('MOC/REG/companies', COMPANIES))).toEqual([200, undefined])
})
afterAll(() => running[Symbol.asyncDispose]())

const put = (id: string, body: object) => running.call('PUT', `/admin/services/GOV/${id}`, { body })
const entry = (id: string, body: object) =>
  running.call('PUT', `/admin/services/GOV/${id}/entry`, { body })
const outcome = ({ status, body }: Answer): unknown[] => [status, body.code]
const PERSONS = {
  titles: { en: 'Population register', km: 'បញ្ជីប្រជាជន', lo: 'ທະບຽນພົນລະເມືອງ' },
  descriptions: { en: 'Name and birth\nof a person' },
  owner: { name: 'General Department of Identification', url: 'https://example.org/' },
  contact: { email: 'help@example.org', phone: '+855 23 000 000' },
  legalBasis: [{ title: 'Law on Civil Status', url: 'https://example.org/law' }],
  purposes: ['kyc', 'pension'],
  fees: { en: 'None' },
  serviceLevel: { availabilityPercent: 99.5, answerMs: 500 },
  dataSources: ['Civil register'],
  samples: [{ title: 'One', method: 'GET', path: '/persons' }],
}
const COMPANIES = {
  titles: { en: 'Business register', km: 'ការចុះឈ្មោះអាជីវកម្ម' },
  purposes: ['kyc'],
}
const search = async (query: string): Promise<string[]> => {
  const { body, status } = await running.call('GET', `/search?${query}`, { token: undefined })
  expect(status).toBe(200)
  return (body.services as { id: string }[]).map(({ id }) => id.split('/').at(-1) ?? '')
}

describe('the entry of a service', () => {
  const PATH = '/admin/services/GOV/MOI/REG/persons/entry'

  it('is kept as it is, with the fields that the description classifies, and in no snapshot', async () => {
    expect((await running.call('GET', PATH)).body).toEqual({
      ...PERSONS,
      classifiedFields: [
        {
          pointer: '/components/schemas/Person/properties/birthDate',
          classification: 'personal',
        },
      ],
    })
    expect(JSON.stringify(await running.snapshot())).not.toContain('Identification')
  })

  it.each([
    ['an unknown language', { titles: { fr: 'x' } }, '/titles'],
    ['no language', { titles: {} }, '/titles'],
    ['an unknown member', { price: 1 }, '(price)'],
    ['an address that is none', { contact: { email: 'x' } }, '/contact/email'],
    ['a law without a title', { legalBasis: [{}] }, '/legalBasis/0'],
    ['a link to a script', { owner: { name: 'x', url: 'javascript:1' } }, '/owner/url'],
    ['a purpose twice', { purposes: ['a', 'a'] }, '/purposes'],
    ['more than all', { serviceLevel: { availabilityPercent: 101 } }, '/serviceLevel'],
    [
      'a sample without a path',
      { samples: [{ title: 'x', method: 'GET', path: 'x' }] },
      '/samples/0/path',
    ],
  ])('is refused with %s, naming the place', async (_, body, place) => {
    const answer = await entry('MOI/REG/persons', body)
    expect(outcome(answer)).toEqual([422, 'admin.invalid'])
    expect(answer.body.detail).toContain(place)
  })

  it('is of a service that there is', async () => {
    expect(outcome(await entry('MOI/REG/none', {}))).toEqual([404, 'admin.not-found'])
  })
})

describe('the class of a field', () => {
  const of = (classification: unknown) => ({
    openapi: '3.1.0',
    info: { title: 'x', version: '1' },
    paths: { '/a': { get: {} } },
    components: {
      schemas: { A: { properties: { b: { 'x-spean-classification': classification } } } },
    },
  })

  it('is at most that of its service', async () => {
    for (const classification of ['public', 'internal', 'personal', undefined]) {
      const body = {
        title: 'x',
        description: of('sensitive'),
        ...(classification ? { classification } : {}),
      }
      const answer = await put('MOI/REG/fields', body)
      expect(outcome(answer)).toEqual([422, 'admin.invalid'])
      expect(answer.body.detail).toContain('/components/schemas/A/properties/b')
    }
    const good = { title: 'x', description: of('internal'), classification: 'personal' }
    expect((await put('MOI/REG/fields', good)).status).toBe(201)
    await running.call('DELETE', '/admin/services/GOV/MOI/REG/fields?reason=test')
  })

  it('is one of four words', async () => {
    for (const word of ['secret', 1, null]) {
      const answer = await put('MOI/REG/fields', { title: 'x', description: of(word) })
      expect(outcome(answer)).toEqual([422, 'admin.invalid'])
      expect(answer.body.detail).toContain('/x-spean-classification')
    }
  })
})

describe('the search', () => {
  it.each([
    ['q=register', ['companies', 'persons']],
    ['q=REGIST+popul', ['persons']],
    [`q=${encodeURIComponent('ប្រជាជន')}`, ['persons']],
    [`q=${encodeURIComponent('អាជីវកម្មចុះឈ្មោះ')}`, ['companies']],
    [`q=${encodeURIComponent('ພົນລະເມືອງ')}&language=lo`, ['persons']],
    [`q=${encodeURIComponent('ພົນລະເມືອງ')}&language=km`, []],
    ['q=ar', ['persons']],
    ['q=x%22+OR+%22a', []],
    ['q=%00%27%3B--', []],
    ['member=KH-DEV/GOV/MOC', ['companies']],
    ['member=KH-DEV/GOV/MO', []],
    ['class=personal', ['persons']],
    ['purpose=kyc', ['companies', 'persons']],
    ['purpose=pension&q=register', ['persons']],
    ['field=birthdate', ['persons']],
    ['field=none', []],
    ['limit=1&offset=1', ['persons']],
    ['q=hidden', []],
  ])('%s finds %j', async (query, found) => {
    expect((await search(query)).toSorted()).toEqual(found)
  })

  it.each(['language=fr', 'limit=101', 'limit=-1', 'offset=x', `q=${'x'.repeat(301)}`])(
    'refuses %s',
    async (query) => {
      expect(outcome(await running.call('GET', `/search?${query}`))).toEqual([422, 'admin.invalid'])
    },
  )

  it('forgets what was removed, and what an entry said before', async () => {
    await put('MOC/REG/gone', { title: 'Fisheries' })
    expect(await search('q=fisher')).toEqual(['gone'])
    await entry('MOC/REG/gone', { titles: { en: 'Forestry' } })
    await entry('MOC/REG/gone', { titles: { en: 'Mining' } })
    expect([await search('q=forest'), await search('q=mining')]).toEqual([[], ['gone']])
    await running.call('DELETE', '/admin/services/GOV/MOC/REG/gone')
    expect(await search('q=mining')).toEqual([])
  })
})

describe('DCAT-AP', () => {
  interface Node {
    readonly [name: string]: unknown
  }
  const read = async (): Promise<Node> => {
    const answer = await running.call('GET', '/dcat', { token: undefined })
    expect(answer.headers.get('content-type')).toBe('application/ld+json')
    return JSON.parse(answer.text) as Node
  }
  const isLiteral = (value: unknown): boolean =>
    Array.isArray(value) &&
    value.length > 0 &&
    value.every((one: Node) => typeof one['@value'] === 'string' && one['@value'] !== '')

  it('has what DCAT-AP 3.0.0 requires of a catalogue, of services and of agents', async () => {
    const catalogue = await read()
    expect(catalogue['@type']).toBe('dcat:Catalog')
    expect([catalogue['dct:title'], catalogue['dct:description']].every(isLiteral)).toBe(true)
    const services = catalogue['dcat:service'] as Node[]
    expect(services.map((service) => service['dct:identifier'])).toEqual([
      'KH-DEV/GOV/MOC/REG/companies',
      'KH-DEV/GOV/MOI/REG/persons',
    ])
    for (const service of services) {
      expect(service['@type']).toBe('dcat:DataService')
      expect(isLiteral(service['dct:title'])).toBe(true)
      expect(service['dcat:endpointURL']).toMatchObject({ '@id': expect.any(String) as string })
    }
    for (const holder of [catalogue, ...services]) {
      expect(holder['dct:publisher']).toMatchObject({
        '@type': 'foaf:Agent',
        'foaf:name': expect.any(String) as string,
      })
    }
  })

  it('uses no prefix that its context does not have, and absolute links alone', async () => {
    const catalogue = await read()
    const context = catalogue['@context'] as Record<string, string>
    const visit = (value: unknown): void => {
      if (Array.isArray(value)) return value.forEach(visit)
      if (typeof value !== 'object' || value === null) return
      for (const [key, member] of Object.entries(value)) {
        if (key === '@id') expect(URL.canParse(member as string)).toBe(true)
        if (!key.startsWith('@')) expect(Object.keys(context)).toContain(key.split(':')[0])
        visit(member)
      }
    }
    const { '@context': _, ...rest } = catalogue
    visit(rest)
  })

  it('says in which languages, on which law and whom to ask', async () => {
    const services = (await read())['dcat:service'] as Node[]
    expect(services[1]).toMatchObject({
      'dct:title': [
        { '@value': 'Population register', '@language': 'en' },
        { '@value': 'បញ្ជីប្រជាជន', '@language': 'km' },
        { '@value': 'ທະບຽນພົນລະເມືອງ', '@language': 'lo' },
      ],
      'dcat:contactPoint': {
        '@type': 'vcard:Kind',
        'vcard:hasTelephone': { '@id': 'tel:+85523000000' },
      },
      'dcatap:applicableLegislation': [{ '@id': 'https://example.org/law' }],
      'dct:accessRights': { '@id': expect.stringContaining('NON_PUBLIC') as string },
      'owl:versionInfo': '1.0.0',
    })
  })
})
