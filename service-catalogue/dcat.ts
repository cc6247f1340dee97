import type { Database } from '../runtime/sqlite-database.ts'
import { LANGUAGES, type ServiceEntry, type Texts } from './service-entry.ts'

const CONTEXT = {
  dcat: 'http://www.w3.org/ns/dcat#',
  dct: 'http://purl.org/dc/terms/',
  dcatap: 'http://data.europa.eu/r5r/',
  adms: 'http://www.w3.org/ns/adms#',
  foaf: 'http://xmlns.com/foaf/0.1/',
  owl: 'http://www.w3.org/2002/07/owl#',
  vcard: 'http://www.w3.org/2006/vcard/ns#',
}
/** EU vocabulary of access rights, which DCAT-AP 3 asks for: all else than public is not for everybody. */
const ACCESS = 'http://publications.europa.eu/resource/authority/access-right/'
const STATUS = 'http://purl.org/adms/status/'

interface Row {
  readonly id: string
  readonly title: string
  readonly version: string
  readonly state: string
  readonly classification: string | null
  readonly descriptionDigest: string | null
  readonly entry: string
  readonly memberName: string
}

/** The catalogue by DCAT-AP 3.0.0 as JSON-LD: a catalogue of data services. */
export function dcatCatalogue(
  db: Database,
  { instance, url, operator }: { instance: string; url: string; operator: string },
): object {
  const rows = db.all<Row>(
    `SELECT service.id, title, version, state, classification, descriptionDigest, entry, member.name AS memberName
     FROM service JOIN service_entry ON service.id = service_entry.service
     JOIN subsystem ON subsystem.id = service.subsystem JOIN member ON member.id = subsystem.member
     WHERE state IN ('published', 'deprecated') ORDER BY service.id`,
  )
  return {
    '@context': CONTEXT,
    '@id': `${url}/dcat`,
    '@type': 'dcat:Catalog',
    'dct:title': [{ '@value': `Services of ${instance}`, '@language': 'en' }],
    'dct:description': [
      {
        '@value': `Data services that members of ${instance} offer each other.`,
        '@language': 'en',
      },
    ],
    'dct:publisher': agent(operator),
    'dcat:service': rows.map((row) => dataService(row, url)),
  }
}

function dataService(row: Row, url: string): object {
  const entry = JSON.parse(row.entry) as ServiceEntry
  const path = row.id.split('/').map(encodeURIComponent).join('/')
  const { owner, contact, legalBasis = [], fees, dataSources = [] } = entry
  return {
    '@id': `${url}/services/${path}`,
    '@type': 'dcat:DataService',
    'dct:identifier': row.id,
    'dct:title': inLanguages(entry.titles) ?? [{ '@value': row.title }],
    ...given('dct:description', inLanguages(entry.descriptions)),
    // Each client has the gateway of its own member: below it the path is the same
    'dcat:endpointURL': { '@id': `urn:spean:r1/${path}` },
    ...(row.descriptionDigest === null
      ? {}
      : { 'dcat:endpointDescription': { '@id': `${url}/descriptions/${row.descriptionDigest}` } }),
    'dct:publisher': agent(owner?.name ?? row.memberName, owner?.url),
    ...given('dcat:contactPoint', contact && contactPoint(contact)),
    ...(row.classification === null
      ? {}
      : {
          'dct:accessRights': {
            '@id': `${ACCESS}${row.classification === 'public' ? 'PUBLIC' : 'NON_PUBLIC'}`,
            '@type': 'dct:RightsStatement',
          },
        }),
    'owl:versionInfo': row.version,
    'adms:status': {
      '@id': `${STATUS}${row.state === 'deprecated' ? 'Deprecated' : 'Completed'}`,
    },
    ...several(
      'dcatap:applicableLegislation',
      legalBasis.map(({ title, url: at }) => ({
        ...(at === undefined ? {} : { '@id': at }),
        '@type': 'http://data.europa.eu/eli/ontology#LegalResource',
        'dct:title': title,
      })),
    ),
    ...given(
      'dct:rights',
      fees && { '@type': 'dct:RightsStatement', 'dct:description': inLanguages(fees) },
    ),
    ...several(
      'dct:source',
      dataSources.map((source) => ({ 'dct:title': source })),
    ),
    ...several('dcat:keyword', entry.purposes ?? []),
  }
}

const given = (name: string, value: unknown): object =>
  value === undefined ? {} : { [name]: value }
const several = (name: string, values: readonly unknown[]): object =>
  values.length === 0 ? {} : { [name]: values }

function agent(name: string, url?: string): object {
  return {
    '@type': 'foaf:Agent',
    'foaf:name': name,
    ...given('foaf:homepage', url && { '@id': url }),
  }
}

function contactPoint({ name, email, phone, url }: NonNullable<ServiceEntry['contact']>): object {
  return {
    '@type': 'vcard:Kind',
    ...given('vcard:fn', name),
    ...given('vcard:hasEmail', email && { '@id': `mailto:${email}` }),
    ...given('vcard:hasTelephone', phone && { '@id': `tel:${phone.replaceAll(/[^+0-9]/g, '')}` }),
    ...given('vcard:hasURL', url && { '@id': url }),
  }
}

function inLanguages(texts: Texts | undefined): object[] | undefined {
  if (texts === undefined) return undefined
  return LANGUAGES.flatMap((language) => {
    const text = texts[language]
    return text === undefined ? [] : [{ '@value': text, '@language': language }]
  })
}
