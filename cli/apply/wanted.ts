/** Files of wanted state, checked and read whole: with the certificates and descriptions that they name. */
import { createHash } from 'node:crypto'
import { dirname, resolve } from 'node:path'
import { CertificateError, parseCertificates } from '../../pki/certificate.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { checkPart } from '../../protocol/identifiers.ts'
import { fullId } from '../context.ts'
import { CATALOGUE_SECTIONS } from './catalogue-sections.ts'
import { checkDocuments, type WantedDocument } from './check-document.ts'
import { DocumentError, type Fault } from './faults.ts'
import { GATEWAY_SECTIONS } from './gateway-sections.ts'
import {
  parseDocuments,
  readBytes,
  readFiles,
  type Path,
  type SourceDocument,
} from './read-files.ts'
import type { Fields, FileHelp, Section } from './section.ts'

export interface WantedEntry {
  readonly fields: Fields
  /** `FILE:LINE:COLUMN`; looked for when it is asked for. */
  readonly place: () => string
}
export interface WantedSection {
  readonly section: Section
  readonly entries: ReadonlyMap<string, WantedEntry>
}
/** Only what files name: everything else stays as it is. */
export interface Wanted {
  readonly catalogue: readonly WantedSection[]
  /** By the gateway's name in the profile. */
  readonly gateways: ReadonlyMap<string, readonly WantedSection[]>
  /** Descriptions of services, by digest. */
  readonly documents: ReadonlyMap<string, object>
}

/** As the catalogue names a description: SHA-256 of its JSON, base64url. */
const digestOf = (document: object): string =>
  createHash('sha256').update(JSON.stringify(document)).digest('base64url')

/**
 * @param gatewayNames of the profile.
 * @throws DocumentError with every fault of every file.
 */
export async function readWanted(
  names: readonly string[],
  profile: { readonly instance: string; readonly gatewayNames: readonly string[] },
): Promise<Wanted> {
  const sources = await readFiles(names)
  checkDocuments(sources, profile.instance)
  const faults: Fault[] = []
  const documents = new Map<string, object>()
  const catalogue = new Map<Section, Map<string, WantedEntry>>()
  const gateways = new Map<string, Map<Section, Map<string, WantedEntry>>>()
  for (const source of sources) {
    const read = { source, instance: profile.instance, documents, faults }
    const value = source.value as WantedDocument
    readSections(read, CATALOGUE_SECTIONS, { value, path: [] }, catalogue)
    const { gatewaySettings = {} } = value as { gatewaySettings?: Record<string, Fields> }
    for (const [name, settings] of Object.entries(gatewaySettings)) {
      const path = ['gatewaySettings', name]
      if (!profile.gatewayNames.includes(name)) {
        const text = `no gateway ${name} in the profile; there is ${profile.gatewayNames.join(', ') || 'none'}`
        faults.push({ place: source.place(path, 'key'), text })
        continue
      }
      const found = gateways.get(name) ?? new Map<Section, Map<string, WantedEntry>>()
      gateways.set(name, found)
      readSections(read, GATEWAY_SECTIONS, { value: settings, path }, found)
    }
  }
  if (faults.length > 0) throw new DocumentError(faults)
  return {
    catalogue: inOrder(CATALOGUE_SECTIONS, catalogue),
    gateways: new Map(
      [...gateways].map(([name, found]) => [name, inOrder(GATEWAY_SECTIONS, found)]),
    ),
    documents,
  }
}

interface Reading {
  readonly source: SourceDocument
  readonly instance: string
  readonly documents: Map<string, object>
  readonly faults: Fault[]
}

function readSections(
  reading: Reading,
  sections: readonly Section[],
  from: { readonly value: Fields; readonly path: Path },
  into: Map<Section, Map<string, WantedEntry>>,
): void {
  for (const section of sections) {
    const value = from.value[section.name]
    if (value === undefined) continue
    const entries = into.get(section) ?? new Map<string, WantedEntry>()
    into.set(section, entries)
    const path = [...from.path, section.name]
    if (section.form === 'map') {
      for (const [name, one] of Object.entries(value as object)) {
        const key = readKey(reading, section, name, [...path, name])
        add(reading, { section, entries, key }, one, [...path, name])
      }
    } else if (section.form === 'list') {
      ;(value as unknown[]).forEach((one, i) =>
        add(reading, { section, entries, key: undefined }, one, [...path, i]),
      )
    } else add(reading, { section, entries, key: section.name }, value, path)
  }
}

function add(
  reading: Reading,
  to: {
    readonly section: Section
    readonly entries: Map<string, WantedEntry>
    readonly key: string | undefined
  },
  value: unknown,
  path: Path,
): void {
  const { source, faults } = reading
  const { section, entries } = to
  const fields = section.fromFile(value, helpFor(reading), path)
  const key = to.key ?? section.keyOf?.(fields) ?? section.name
  const place = (): string => source.place(path, 'key')
  const other = entries.get(key)
  if (other !== undefined) {
    faults.push({ place: place(), text: `${section.word} is at ${other.place()} already` })
    return
  }
  entries.set(key, { fields, place })
}

function readKey(reading: Reading, { parts, word }: Section, name: string, path: Path): string {
  const { instance, source, faults } = reading
  const fault = (text: string): string => {
    faults.push({ place: source.place(path, 'key'), text: `${word} ${name}: ${text}` })
    return name
  }
  if (parts === undefined) return name
  const id = fullId(name, instance)
  const given = id.split('/')
  const [least, most] = parts
  if (given.length - 1 < least || given.length - 1 > most) {
    const form = ['CLASS', 'MEMBER', word === 'gateway' ? 'GATEWAY' : 'SUBSYSTEM', 'SERVICE']
    return fault(`write ${form.slice(0, most).join('/')}`)
  }
  try {
    return given.map((part) => checkPart(part)).join('/')
  } catch (cause) {
    if (!(cause instanceof ExchangeError)) throw cause
    return fault(cause.message)
  }
}

function helpFor({ source, instance, documents, faults }: Reading): FileHelp {
  const fault = (path: Path, text: string): void => {
    faults.push({ place: source.place(path), text: `${pointerOf(path)}: ${text}` })
  }
  /** Of the file that is named; undefined when it cannot be read. */
  const readNamed = (name: string, path: Path): { file: string; text: string } | undefined => {
    const file = resolve(source.dir, name)
    const found: Fault[] = []
    const text = readBytes(file, found)
    for (const one of found) fault(path, `${name} ${one.text}`)
    return text === undefined ? undefined : { file, text }
  }
  return {
    fault,
    id: (text) => fullId(text, instance),
    certificates: (text, path) => {
      const pem = text.includes('-----BEGIN') ? text : readNamed(text, path)?.text
      if (pem === undefined) return []
      try {
        const found = parseCertificates(pem)
        if (found.length === 0) fault(path, 'holds no PEM certificate')
        return found.map((certificate) => certificate.pem)
      } catch (cause) {
        if (!(cause instanceof CertificateError)) throw cause
        fault(path, cause.message)
        return []
      }
    },
    description: (value, path) => {
      const document = typeof value === 'string' ? readDescription(value, path) : (value as object)
      if (document === undefined) return ''
      const digest = digestOf(document)
      documents.set(digest, document)
      return digest
    },
  }

  function readDescription(name: string, path: Path): object | undefined {
    const named = readNamed(name, path)
    if (named === undefined) return undefined
    const own: Fault[] = []
    const [first, ...others] = parseDocuments(named.text, name, dirname(named.file), own)
    for (const { place, text } of own) fault(path, `${place}: ${text}`)
    if (own.length > 0) return undefined
    const { value } = first ?? {}
    if (others.length === 0 && typeof value === 'object' && value !== null) return value
    fault(path, `${name} is no OpenAPI description: one object, in JSON or YAML`)
    return undefined
  }
}

const pointerOf = (path: Path): string =>
  path.map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')

const inOrder = (
  sections: readonly Section[],
  found: ReadonlyMap<Section, ReadonlyMap<string, WantedEntry>>,
): WantedSection[] =>
  sections.flatMap((section) => {
    const entries = found.get(section)
    return entries === undefined ? [] : [{ section, entries }]
  })
