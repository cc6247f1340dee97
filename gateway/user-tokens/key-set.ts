import type { JSONWebKeySet } from 'jose'

/** Whether it has the form of RFC 7517 §5; whether a key is of use is seen when a token names it. */
export function isKeySet(value: unknown): value is JSONWebKeySet {
  const { keys } = (value ?? {}) as { keys?: unknown }
  return (
    Array.isArray(keys) &&
    keys.length <= 1000 &&
    (keys as unknown[]).every((key) => typeof key === 'object' && key !== null && 'kty' in key)
  )
}
