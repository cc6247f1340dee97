import { writeFileSync } from 'node:fs'
import { stringify } from 'yaml'
import { ExchangeError } from '../../protocol/errors.ts'
import type { ApiClient } from '../../runtime/api-client.ts'
import { ConfigError } from '../../runtime/config.ts'
import type { OpenProfile } from '../profile.ts'
import { CATALOGUE_SECTIONS } from './catalogue-sections.ts'
import { nearest } from './faults.ts'
import { GATEWAY_SECTIONS } from './gateway-sections.ts'
import { readDocument } from './plan.ts'
import type { Fields, Section } from './section.ts'

/**
 * Writes what there is as one file, with certificates and descriptions in it. What the credential may not read is
 * left out, and said on standard error.
 */
export async function exportState(
  profile: OpenProfile,
  options: {
    readonly output?: string
    readonly gateway?: string[] | true
    readonly only?: string[]
  },
): Promise<void> {
  const { instance } = profile
  const chosen = choose(options.only)
  const content: Record<string, unknown> = { version: 1, instance }
  if (profile.hasCatalogue) {
    await using api = profile.catalogue()
    Object.assign(content, await readAll(api, chosen))
  }
  const names = options.gateway === true ? profile.gatewayNames : (options.gateway ?? [])
  const settings: Record<string, unknown> = {}
  for (const name of names) {
    await using api = profile.gateway(name)
    settings[name] = await readAll(api, GATEWAY_SECTIONS)
  }
  if (names.length > 0) content.gatewaySettings = settings
  // Two that are alike stay two: an anchor would tie them together
  const text = stringify(content, { aliasDuplicateObjects: false, lineWidth: 0, version: '1.2' })
  if (options.output === undefined) process.stdout.write(text)
  // URLs of webhooks may have passwords
  else writeFileSync(options.output, text, { mode: 0o600 })
}

function choose(only: readonly string[] | undefined): readonly Section[] {
  if (only === undefined) return CATALOGUE_SECTIONS
  const known = CATALOGUE_SECTIONS.map(({ name }) => name)
  for (const name of only) {
    if (known.includes(name)) continue
    const meant = nearest(name, known) ?? known.join(', ')
    throw new ConfigError(`there is no section ${name}; there is ${meant}`)
  }
  return CATALOGUE_SECTIONS.filter(({ name }) => only.includes(name))
}

async function readAll(
  api: ApiClient,
  sections: readonly Section[],
): Promise<Record<string, unknown>> {
  const content: Record<string, unknown> = {}
  for (const section of sections) {
    try {
      const found = await section.read(api)
      if (found.size > 0) content[section.name] = await write(api, section, found)
    } catch (error) {
      if (!(error instanceof ExchangeError) || error.code !== 'admin.not-permitted') throw error
      console.error(`${section.name}: left out: ${error.message}`)
    }
  }
  return content
}

async function write(
  api: ApiClient,
  section: Section,
  found: ReadonlyMap<string, Fields>,
): Promise<unknown> {
  const entries: [string, unknown][] = []
  for (const [key, { planned: _planned, ...fields }] of found) {
    const { description } = fields
    const whole =
      typeof description === 'string'
        ? { ...fields, description: await readDocument(api, description) }
        : fields
    entries.push([key, section.toFile?.(whole) ?? whole])
  }
  if (section.form === 'map') return Object.fromEntries(entries)
  return section.form === 'list' ? entries.map(([, value]) => value) : entries[0]?.[1]
}
