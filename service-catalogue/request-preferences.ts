const MAX_WAIT_SECONDS = 60

type Headers = Readonly<Record<string, string | string[] | undefined>>

/**
 * How long the caller is willing to be held, in milliseconds: `Prefer: wait=N` (RFC 7240 §4.3),
 * cut to 60 s. What cannot be understood is passed over, as the RFC wants.
 */
export function readWaitMs(headers: Headers): number | undefined {
  for (const preference of listOf(headers.prefer)) {
    // The first of several counts (RFC 7240 §2); parameters after ";" mean nothing to us
    const wait = /^wait\s*=\s*(?:"(\d{1,9})"|(\d{1,9}))\s*(?:;|$)/i.exec(preference)
    if (wait) return Math.min(Number(wait[1] ?? wait[2]), MAX_WAIT_SECONDS) * 1000
  }
  return undefined
}

/** Weak comparison of `If-None-Match` (RFC 9110 §13.1.2). */
export function matchesEntityTag(headers: Headers, etag: string): boolean {
  return listOf(headers['if-none-match']).some(
    (given) => given === '*' || given.replace(/^W\//, '') === etag,
  )
}

/** Whether a list of `Accept` or `Accept-Encoding` has `name` itself, and does not rule it out (RFC 9110 §12.4.2). */
export function accepts(value: string | string[] | undefined, name: string): boolean {
  return listOf(value).some((item) => {
    const [given, ...parameters] = item
      .toLowerCase()
      .split(';')
      .map((part) => part.trim())
    return given === name && !parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter))
  })
}

function listOf(value: string | string[] | undefined): string[] {
  return [value ?? []].flat().flatMap((line) => line.split(',').map((item) => item.trim()))
}
