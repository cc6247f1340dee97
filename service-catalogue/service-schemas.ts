/** What services look like in answers. */
import type { ErrorCode } from '../protocol/errors.ts'
import { listOf, named, object, oneOf, text, time, whole } from '../runtime/route-description.ts'
import { parseEntry } from './service-entry.ts'

/** Of everything that changes what is in force of a service. */
export const CHANGE_REFUSALS = [
  'service.version-too-low',
  'service.change-too-early',
  'service.state-conflict',
] as const satisfies readonly ErrorCode[]

const LEVEL = oneOf('breaking', 'compatible', 'editorial')
export const DIFFERENCE = named(
  'Difference',
  object({
    level: LEVEL,
    pointer: { ...text, description: 'Into the new description; of what is gone, into the old.' },
    text,
  }),
)
const VALIDATION = oneOf('enforce', 'report', 'off')
const PLANNED = named(
  'PlannedChange',
  object(
    { title: text, version: text, effectiveAt: time, differences: listOf(DIFFERENCE) },
    { level: LEVEL, descriptionDigest: text, validation: VALIDATION, reason: text },
  ),
)

export const ENDPOINT = named('Endpoint', object({ method: text, path: text }))
const ALWAYS = {
  id: text,
  title: text,
  type: oneOf('REST', 'OPENAPI'),
  endpoints: listOf(ENDPOINT),
  version: text,
  state: oneOf('draft', 'published', 'deprecated', 'retired'),
}
const SOMETIMES = {
  descriptionDigest: text,
  classification: oneOf('public', 'internal', 'personal', 'sensitive'),
  validation: VALIDATION,
  deprecatedAt: time,
  sunset: time,
  successor: text,
  planned: PLANNED,
}
export const SERVICE = named('Service', object(ALWAYS, SOMETIMES))
/** With what is written of it for people. */
export const SERVICE_CONTENTS = named(
  'ServiceContents',
  object({ ...ALWAYS, entry: parseEntry.schema }, SOMETIMES),
)

export const SERVICE_EVENT = named(
  'ServiceEvent',
  object({
    position: whole,
    id: { ...text, description: 'The same however often it is sent.' },
    at: time,
    type: { ...text, description: 'docs/catalogue-content.md has them all.' },
    service: text,
    version: text,
    data: { type: 'object' },
  }),
)
/** A page of events; `next` is the cursor of the one after it. */
export const EVENTS = { events: listOf(SERVICE_EVENT), next: whole }
