import type { Finding } from './finding.ts'

/** A media type in lower case, without parameters; its charset. */
export interface MediaType {
  readonly type: string
  readonly charset: string | undefined
}

const TOKEN = "[!#$%&'*+.^_`|~0-9a-z-]+"
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}$`)

/** RFC 9110 §8.3.1; undefined when it is none. */
export function parseMediaType(text: string): MediaType | undefined {
  const [type = '', ...parameters] = text.split(';').map((part) => part.trim())
  const lower = type.toLowerCase()
  if (!MEDIA_TYPE.test(lower)) return undefined
  const charset = parameters
    .map((parameter) => /^charset="?([^"]*)"?$/i.exec(parameter)?.[1]?.toLowerCase())
    .find((value) => value !== undefined)
  return { type: lower, charset }
}

/** RFC 6839 §3.1. */
export function isJsonType(type: string): boolean {
  return type === 'application/json' || type === 'text/json' || type.endsWith('+json')
}

/** The entry of a `content` map for a media type: itself, then its range, then any. */
export function chooseMedia<T>(content: ReadonlyMap<string, T>, type: string): T | undefined {
  const [top] = type.split('/', 1)
  return content.get(type) ?? content.get(`${top}/*`) ?? content.get('*/*')
}

export const contentTypeFinding = (keyword: string): Finding => ({
  in: 'header',
  place: 'content-type',
  keyword,
})
