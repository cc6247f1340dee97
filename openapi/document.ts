import { pointerToken, pointerTokens } from './finding.ts'

export type JsonObject = Readonly<Record<string, unknown>>
export type Dialect = '3.0' | '3.1'

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export const at = (pointer: string, ...names: readonly string[]): string =>
  pointer + names.map((name) => `/${pointerToken(name)}`).join('')

/** What stands at a pointer, by members of its own only; undefined when nothing does. */
export function lookUp(document: unknown, pointer: string): unknown {
  let value = document
  for (const token of pointerTokens(pointer)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, token)) {
      return undefined
    }
    value = (value as Record<string, unknown>)[token]
  }
  return value
}

/** The pointer in a reference within the document (RFC 6901 §6); undefined for any other reference. */
export function localPointer(reference: string): string | undefined {
  if (reference !== '#' && !reference.startsWith('#/')) return undefined
  try {
    return decodeURIComponent(reference.slice(1))
  } catch {
    return undefined
  }
}

const MAX_HOPS = 32

/** What is meant at a pointer, references followed; undefined when they lead nowhere, or in a circle. */
export function follow(
  document: unknown,
  pointer: string,
): { readonly pointer: string; readonly value: unknown } | undefined {
  let here = pointer
  for (let hops = 0; hops < MAX_HOPS; hops += 1) {
    const value = lookUp(document, here)
    if (!isObject(value) || typeof value.$ref !== 'string') {
      return value === undefined ? undefined : { pointer: here, value }
    }
    const next = localPointer(value.$ref)
    if (next === undefined) return undefined
    here = next
  }
  return undefined
}

/** The same for an object; an empty one where there is none. */
export function followObject(
  document: unknown,
  pointer: string,
): { readonly pointer: string; readonly value: JsonObject } {
  const found = follow(document, pointer)
  return found && isObject(found.value)
    ? { pointer: found.pointer, value: found.value }
    : { pointer, value: {} }
}
