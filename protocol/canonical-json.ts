/**
 * JSON Canonicalization Scheme for the values that manifests are made of: strings, integers,
 * booleans, null, arrays, objects. Members with the value undefined are left out.
 *
 * @returns the canonical text; its UTF-8 form is what is signed.
 * @throws TypeError for a number that is not a safe integer (manifests have none) and for a text with
 *   a lone surrogate, which has no UTF-8 form (RFC 8785 §3.2.2.2).
 * @see RFC 8785 §3.2. Member names are sorted by UTF-16 code units, which is JavaScript's own order.
 */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value === 'object' && value !== null) return canonicalObject(value)
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new TypeError('canonical JSON of a manifest holds safe integers only')
  }
  if (typeof value === 'string' && !value.isWellFormed()) {
    throw new TypeError('canonical JSON holds well-formed Unicode only')
  }
  return JSON.stringify(value)
}

function canonicalObject(value: object): string {
  const members = value as Record<string, unknown>
  let text = ''
  for (const name of Object.keys(value).toSorted()) {
    const member = members[name]
    if (member === undefined) continue
    text += `${text === '' ? '' : ','}${canonicalJson(name)}:${canonicalJson(member)}`
  }
  return `{${text}}`
}
