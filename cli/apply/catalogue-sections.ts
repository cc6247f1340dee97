/** Sections of a file that a catalogue keeps, in the order in which they are put: what others need comes first. */
import { apiPath, type ApiClient } from '../../runtime/api-client.ts'
import {
  DONE,
  pick,
  sortedTexts,
  type Act,
  type Fields,
  type FileHelp,
  type Section,
} from './section.ts'
import type { Path } from './read-files.ts'
import { services } from './services-section.ts'

type Row = Record<string, unknown>

/** Below a base, without the instance. */
export const pathOf = (base: string, id: string): string => apiPath(base, ...id.split('/').slice(1))

const asRow = (value: unknown): Row => value as Row

async function rows(api: ApiClient, path: string, plural: string): Promise<Row[]> {
  return (await api.call<Record<string, Row[]>>('GET', path))[plural] ?? []
}

const byKey = (list: readonly Row[], key: string, fields: readonly string[]): Map<string, Fields> =>
  new Map(list.map((row) => [String(row[key]), pick(row, fields)]))

const pemsOf = (certificates: unknown): string[] =>
  (certificates as { pem: string }[]).map(({ pem }) => pem).toSorted()

/** What has a name, a GET of the list, and a PUT and DELETE of one. */
function named(options: {
  readonly name: string
  readonly word: string
  readonly path: string
  readonly fields: readonly string[]
  readonly needed: readonly string[]
  readonly fromFile: Section['fromFile']
  readonly isOurs?: (row: Row) => boolean
}): Section {
  const { name, word, path, fields, needed, fromFile, isOurs = () => true } = options
  return {
    ...{ name, word, form: 'map', keeps: true, needed, fromFile },
    read: async (api) => byKey((await rows(api, path, name)).filter(isOurs), 'name', fields),
    put: async ({ api, key, after }) => {
      await api.call('PUT', apiPath(path, key), pick(after, fields))
      return DONE
    },
    remove: async (api, key) => void (await api.call('DELETE', apiPath(path, key))),
  }
}

const withPems = (value: unknown, help: FileHelp, path: Path, most = Infinity): Row => {
  const { certificates, ...rest } = asRow(value)
  if (certificates === undefined) return rest
  const pems = (certificates as string[]).flatMap((text, i) =>
    help.certificates(text, [...path, 'certificates', i]).slice(0, most),
  )
  return { ...rest, certificates: pems }
}

const authorities = named({
  ...{ name: 'authorities', word: 'authority', path: '/admin/authorities' },
  fields: ['certificates', 'subjectProfile', 'ocspNonce'],
  needed: ['certificates'],
  fromFile: (value, help, path) => withPems(value, help, path),
})

const timeStampingAuthorities = named({
  ...{ name: 'timeStampingAuthorities', word: 'time-stamping authority' },
  path: '/admin/time-stamping-authorities',
  fields: ['url', 'certificates', 'order'],
  needed: ['url', 'certificates'],
  fromFile: (value, help, path) => withPems(value, help, path),
})

const witnesses = named({
  ...{ name: 'witnesses', word: 'witness', path: '/admin/witnesses', fields: ['vkey', 'url'] },
  needed: ['vkey', 'url'],
  fromFile: asRow,
  // Those of gateways and of the catalogue itself are put by them
  isOurs: ({ of }) => of === 'other',
})

/** Certificates of a member or a gateway: each is put and removed by itself. */
async function putCertificates(act: Act, base: string): Promise<void> {
  const { api, key, before, after, changed } = act
  if (!changed.includes('certificates')) return
  const known = (before?.certificates ?? []) as string[]
  const wanted = (after.certificates ?? []) as string[]
  for (const certificate of wanted.filter((pem) => !known.includes(pem))) {
    await api.call('POST', `${pathOf(base, key)}/certificates`, { certificate })
  }
  const gone = known.filter((pem) => !wanted.includes(pem))
  if (gone.length === 0) return
  const { certificates } = await api.call<{ certificates: { pem: string; thumbprint: string }[] }>(
    'GET',
    pathOf(base, key),
  )
  for (const { pem, thumbprint } of certificates) {
    if (!gone.includes(pem)) continue
    await api.call('DELETE', apiPath(`${pathOf(base, key)}/certificates`, thumbprint))
  }
}

function owner(options: {
  readonly name: 'members' | 'gateways'
  readonly word: 'member' | 'gateway'
  readonly parts: readonly [number, number]
  readonly fields: readonly string[]
  readonly read: (row: Row) => Fields
  readonly fromFile: (fields: Row, help: FileHelp) => Fields
}): Section {
  const { name, word, parts, fields, read, fromFile } = options
  const base = `/admin/${name}`
  return {
    ...{ name, word, form: 'map', parts, keeps: true, additive: ['certificates'], needed: fields },
    asks: { kind: word, fields },
    fromFile: (value, help, path) => {
      // Programs want the chain behind it in the same file
      const { certificates, ...rest } = withPems(value, help, path, 1)
      return {
        ...fromFile(rest, help),
        ...(certificates === undefined ? {} : { certificates: sortedTexts(certificates) }),
      }
    },
    read: async (api) =>
      new Map(
        (await rows(api, base, name)).map((row) => [
          String(row.id),
          { ...read(row), certificates: pemsOf(row.certificates) },
        ]),
      ),
    body: (after) => pick(after, fields),
    put: async (act) => {
      const { key, after, changed } = act
      const isPut = changed.some((field) => fields.includes(field))
      const outcome = isPut ? await act.put(word, pathOf(base, key), pick(after, fields)) : DONE
      if (outcome.kind !== 'asked') await putCertificates(act, base)
      return outcome
    },
    remove: async (api, key) => void (await api.call('DELETE', pathOf(base, key))),
  }
}

const members = owner({
  ...{ name: 'members', word: 'member', parts: [2, 2], fields: ['name'] },
  read: ({ name }) => ({ name }),
  fromFile: (fields) => fields,
})

const idsOf = (value: unknown, help: FileHelp): string[] =>
  sortedTexts((value as string[]).map((id) => help.id(id)))

const gateways = owner({
  ...{ name: 'gateways', word: 'gateway', parts: [3, 3], fields: ['address', 'clients'] },
  read: ({ address, clients }) => ({ address, clients: sortedTexts(clients) }),
  fromFile: ({ clients, ...rest }, help) => ({
    ...rest,
    ...(clients === undefined ? {} : { clients: idsOf(clients, help) }),
  }),
})

const subsystems: Section = {
  ...{ name: 'subsystems', word: 'subsystem', form: 'map', parts: [3, 3], keeps: true },
  ...{ needed: ['name'], asks: { kind: 'subsystem', fields: ['name'] } },
  fromFile: asRow,
  read: async (api) => byKey(await rows(api, '/admin/subsystems', 'subsystems'), 'id', ['name']),
  body: (after) => pick(after, ['name']),
  put: async (act) =>
    await act.put('subsystem', pathOf('/admin/subsystems', act.key), pick(act.after, ['name'])),
  remove: async (api, key) => void (await api.call('DELETE', pathOf('/admin/subsystems', key))),
}

const groups: Section = {
  ...{ name: 'groups', word: 'group', form: 'map', keeps: true, needed: ['title', 'members'] },
  fromFile: (value, help) => {
    const { members: ids, ...rest } = asRow(value)
    return { ...rest, ...(ids === undefined ? {} : { members: idsOf(ids, help) }) }
  },
  read: async (api) =>
    new Map(
      (await rows(api, '/admin/groups', 'groups')).map(({ code, title, members: ids }) => [
        String(code),
        { title, members: sortedTexts(ids) },
      ]),
    ),
  put: async ({ api, key, after }) => {
    await api.call('PUT', apiPath('/admin/groups', key), after)
    return DONE
  },
  remove: async (api, key) => void (await api.call('DELETE', apiPath('/admin/groups', key))),
}

const stops: Section = {
  ...{ name: 'stops', word: 'stop', form: 'map', parts: [2, 4], keeps: true },
  fromFile: asRow,
  read: async (api) => byKey(await rows(api, '/admin/stops', 'stops'), 'subject', ['reason']),
  put: async ({ api, key, after }) => {
    await api.call('PUT', pathOf('/admin/stops', key), after)
    return DONE
  },
  remove: async (api, key) => void (await api.call('DELETE', pathOf('/admin/stops', key))),
}

const gatewayWitnesses: Section = {
  ...{ name: 'gatewayWitnesses', word: 'witness of gateway', form: 'map', parts: [3, 3] },
  keeps: true,
  fromFile: asRow,
  read: async (api) => {
    const all = await rows(api, '/admin/witnesses', 'witnesses')
    const theirs = all.filter(({ of }) => of === 'gateway')
    return byKey(theirs, 'gateway', ['vkey', 'url'])
  },
  put: async ({ api, key, after }) => {
    await api.call('PUT', `${pathOf('/admin/gateways', key)}/witness`, after)
    return DONE
  },
  remove: async (api, key) =>
    void (await api.call('DELETE', `${pathOf('/admin/gateways', key)}/witness`)),
}

const logKeys: Section = {
  ...{ name: 'logKeys', word: 'log key', form: 'list', keeps: true },
  fromFile: (value, help) => {
    const { gateway, ...rest } = asRow(value)
    return { gateway: help.id(String(gateway)), ...rest }
  },
  keyOf: ({ gateway, vkey }) => `${String(gateway)} ${String(vkey)}`,
  read: async (api) =>
    new Map(
      (await rows(api, '/admin/log-keys', 'logKeys')).map((row) => [
        `${String(row.gateway)} ${String(row.vkey)}`,
        pick(row, ['gateway', 'vkey', 'url']),
      ]),
    ),
  put: async ({ api, after }) => {
    const path = `${pathOf('/admin/gateways', String(after.gateway))}/log-keys`
    await api.call('PUT', path, pick(after, ['vkey', 'url']))
    return DONE
  },
  remove: async (api, _key, { gateway, vkey }) =>
    void (await api.call(
      'DELETE',
      apiPath(`${pathOf('/admin/gateways', String(gateway))}/log-keys`, String(vkey)),
    )),
}

const witnessPolicy: Section = {
  ...{ name: 'witnessPolicy', word: 'witness policy', form: 'single', keeps: false },
  fromFile: asRow,
  read: async (api) => {
    const { setting } = await api.call<{ setting: Fields }>('GET', '/admin/witness-policy')
    return new Map([['witnessPolicy', setting]])
  },
  put: async ({ api, after }) => {
    await api.call('PUT', '/admin/witness-policy', after)
    return DONE
  },
  remove: async () => {},
}

const scopeOf = ({ scope = [] }: Row): string => sortedTexts(scope).join()

const webhookKey = ({ url, services: ids }: Fields): string =>
  [url, ...((ids ?? []) as string[])].join(' ')

/** Those of whoever asks: a member's are not the operator's to write down, though they may be seen. */
async function readWebhooks(api: ApiClient): Promise<(Row & { key: string })[]> {
  const own = scopeOf(await api.call<Row>('GET', '/admin/whoami'))
  const all = await rows(api, '/admin/webhooks', 'webhooks')
  const theirs = all.filter((row) => scopeOf(row) === own)
  return theirs.map((row) => {
    const { services: ids } = row
    const fields = { ...row, ...(ids === undefined ? {} : { services: sortedTexts(ids) }) }
    return { ...fields, key: webhookKey(fields) }
  })
}

/** Two that tell the same receiver of the same are one. */
const webhooks: Section = {
  ...{ name: 'webhooks', word: 'webhook', form: 'list', keeps: true },
  fromFile: (value, help) => {
    const { services: ids, ...rest } = asRow(value)
    return { ...rest, ...(ids === undefined ? {} : { services: idsOf(ids, help) }) }
  },
  keyOf: webhookKey,
  read: async (api) => byKey(await readWebhooks(api), 'key', ['url', 'services']),
  put: async ({ api, after }) => {
    await api.call('POST', '/admin/webhooks', after)
    return DONE
  },
  remove: async (api, key) => {
    for (const row of await readWebhooks(api)) {
      if (row.key === key) await api.call('DELETE', apiPath('/admin/webhooks', String(row.id)))
    }
  },
}

export const CATALOGUE_SECTIONS: readonly Section[] = [
  ...[authorities, timeStampingAuthorities, members, subsystems, gateways, groups, services],
  ...[stops, witnesses, gatewayWitnesses, logKeys, witnessPolicy, webhooks],
]
