import type { Command } from 'commander'
import type { ApiClient } from '../runtime/api-client.ts'
import { printJson } from './output.ts'
import { openProfile, type OpenProfile } from './profile.ts'

interface GlobalOptions {
  readonly profile?: string
  readonly json?: boolean
}

export function profileOf(command: Command): OpenProfile {
  return openProfile(command.optsWithGlobals<GlobalOptions>().profile)
}

/** Asks a program one thing and prints the answer, in the form that was asked for. */
export async function show<T>(
  command: Command,
  client: ApiClient,
  ask: (client: ApiClient) => Promise<T>,
  forPeople: (answer: T) => void,
): Promise<void> {
  await using api = client
  const answer = await ask(api)
  if (isJson(command)) printJson(answer ?? {})
  else forPeople(answer)
}

/** Whether what is printed is for a program. */
export function isJson(command: Command): boolean {
  return command.optsWithGlobals<GlobalOptions>().json === true
}

/** The same id with its instance, whether or not it was written; groups have none. */
export function fullId(id: string, instance: string): string {
  return id.startsWith('group:') || id.split('/', 1)[0] === instance ? id : `${instance}/${id}`
}

/** `INSTANCE/CLASS/…` or `CLASS/…` to its parts without the instance. */
export function localParts(id: string, instance: string, count: number): string[] {
  const parts = id.split('/')
  return parts.length === count + 1 && parts[0] === instance ? parts.slice(1) : parts
}
