import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import { ENTRY_FIELDS } from './schema.ts'
import { DONE, pick, textOf, type Act, type Fields, type Outcome, type Section } from './section.ts'

type Row = Record<string, unknown>

/** Put together, by one route. */
const CORE = ['title', 'description', 'classification', 'validation'] as const
const LIFE = ['state', 'sunset', 'successor'] as const
const ENTRY = Object.keys(ENTRY_FIELDS)
const HOW = ['effectiveAt', 'reason'] as const

const PATH = '/admin/services'

/** A change that waits for its time: the file may well be what it brings. */
export interface Planned {
  readonly title: string
  readonly validation?: string
  readonly version: string
  readonly effectiveAt: string
  readonly descriptionDigest?: string
}

/** Services, with what is written of them: by pages, however many there are. */
export const services: Section = {
  ...{ name: 'services', word: 'service', form: 'map', parts: [4, 4], keeps: true },
  needed: ['title'],
  how: HOW,
  asks: { kind: 'service', fields: [...CORE, 'version'] },
  fromFile: (value, help, path) => {
    const { description, successor, sunset, ...rest } = value as Row
    const { state } = rest
    const at = typeof sunset === 'string' ? new Date(sunset) : undefined
    if (at !== undefined && Number.isNaN(at.getTime())) {
      help.fault([...path, 'sunset'], 'write a time by RFC 3339: 2027-01-31T00:00:00Z')
    } else if (state === 'deprecated' && sunset === undefined) {
      help.fault([...path, 'state'], 'what is deprecated has a sunset: when it retires')
    } else if (sunset !== undefined && state !== 'deprecated' && state !== 'retired') {
      help.fault([...path, 'sunset'], 'goes with state: deprecated')
    }
    const isOver = state === 'published' || state === 'draft' || state === 'retired'
    return {
      ...rest,
      ...(description === undefined
        ? {}
        : { description: description && help.description(description, [...path, 'description']) }),
      ...(isOver ? { sunset: null, successor: null } : {}),
      ...(isOver || !at || Number.isNaN(at.getTime()) ? {} : { sunset: at.toISOString() }),
      ...(isOver || successor === undefined
        ? {}
        : { successor: successor && help.id(textOf(successor)) }),
    }
  },
  read: async (api) => {
    const found = new Map<string, Fields>()
    let after: string | undefined = ''
    while (after !== undefined) {
      const query = new URLSearchParams(after === '' ? {} : { after }).toString()
      const page: { services: Row[]; next?: string } = await api.call(
        'GET',
        `/admin/service-contents?${query}`,
      )
      for (const row of page.services) found.set(String(row.id), toFields(row))
      after = page.next
    }
    return found
  },
  body: (after, document) => {
    const { description, ...core } = pick(after, [...CORE, 'version'])
    const whole = typeof description === 'string' ? document(description) : undefined
    return { ...core, ...(whole === undefined ? {} : { description: whole }) }
  },
  put: putService,
  remove: async (api, key) => void (await api.call('DELETE', pathOf(key))),
}

const pathOf = (id: string): string => apiPath(PATH, ...id.split('/').slice(1))

function toFields({ descriptionDigest, entry, planned, ...row }: Row): Fields {
  const isDeprecated = row.state === 'deprecated'
  return {
    ...pick(row, ['title', 'classification', 'validation', 'version', 'state']),
    ...(isDeprecated ? pick(row, ['sunset', 'successor']) : {}),
    ...(descriptionDigest === undefined ? {} : { description: descriptionDigest }),
    ...(entry as Fields),
    ...(planned === undefined ? {} : { planned }),
  }
}

async function putService(act: Act): Promise<Outcome> {
  const { api, key, before, after, wanted, changed } = act
  const path = pathOf(key)
  const touches = (fields: readonly string[]): boolean => fields.some((f) => changed.includes(f))
  let outcome: Outcome = DONE
  if (before === undefined || touches([...CORE, 'version'])) {
    const { description, ...core } = pick(after, CORE)
    const body = {
      ...core,
      ...(typeof description === 'string' ? { description: await act.document(description) } : {}),
      ...pick(wanted, HOW),
      // Else the version of what is planned would be given to what is in force
      ...(before === undefined || touches(['title', 'description', 'version'])
        ? pick(wanted, ['version'])
        : {}),
      ...(before === undefined && after.state === 'draft' ? { state: 'draft' } : {}),
    }
    outcome = await act.put('service', path, body)
    if (outcome.kind === 'asked') return outcome
  }
  if (touches(ENTRY)) await api.call('PUT', `${path}/entry`, pick(after, ENTRY))
  if (touches(LIFE)) await step(api, path, act)
  return outcome
}

const OLD = 'it is so in the file that it comes from'

async function step(api: ApiClient, path: string, { before, after, wanted }: Act): Promise<void> {
  const from = before?.state ?? (after.state === 'draft' ? 'draft' : 'published')
  // Nobody uses yet what is new here, and is over or will soon be: of such a file comes what is restored
  const given = { ...(before === undefined ? { reason: OLD } : {}), ...pick(wanted, ['reason']) }
  if (after.state === 'deprecated') {
    if (from === 'draft') await api.call('POST', `${path}/publish`, {})
    const body = { ...pick(after, ['sunset', 'successor']), ...given }
    await api.call('POST', `${path}/deprecate`, body)
  } else if (after.state === 'retired') {
    await api.call('POST', `${path}/retire`, given)
  } else if (after.state === 'published' && from !== 'published') {
    await api.call('POST', `${path}/publish`, {})
  }
}

interface Comparison {
  readonly version: string
  readonly level: string
  readonly lowestVersion: string
  readonly effectiveAt: string
  readonly differences: readonly { level: string; pointer: string; text: string }[]
}

/** What a new description would change, in the catalogue's own words. */
export async function compareService(
  act: Pick<Act, 'api' | 'key' | 'after' | 'wanted' | 'document'>,
): Promise<string[]> {
  const { api, key, after, wanted, document } = act
  const { description, title } = after
  const body = {
    title,
    ...(typeof description === 'string' ? { description: await document(description) } : {}),
  }
  const found = await api.call<Comparison>('POST', `${pathOf(key)}/compare`, body)
  const shown = found.differences.slice(0, 20)
  const more = found.differences.length - shown.length
  const version = wanted.version ?? (found.level === 'breaking' ? 'none' : found.lowestVersion)
  return [
    `the change is ${found.level}: version ${found.version} is followed by ${found.lowestVersion} or higher, the file has ${textOf(version)}`,
    ...(found.level === 'breaking' ? [`in force from ${found.effectiveAt}`] : []),
    ...shown.map(({ level, pointer, text }) => `${level}: ${text} (${pointer || '/'})`),
    ...(more > 0 ? [`and ${more} more differences`] : []),
  ]
}
