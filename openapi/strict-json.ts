import { pointerOf } from './finding.ts'

/** Why a text is not taken for JSON. */
export type JsonFault = 'json' | 'utf8' | 'duplicate' | 'depth' | 'number' | 'unicode'

export interface Span {
  /** The member's name, or the index of the element. */
  readonly name: string
  /** From the first character of the name (or element) to behind the last of the value. */
  readonly start: number
  readonly end: number
}
/** Where members and elements stand in the text, for each object and array. */
export type Spans = Map<object, readonly Span[]>

export type JsonReading =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly fault: JsonFault; readonly pointer: string }

export const MAX_DEPTH = 64

/**
 * Reads JSON that every reader understands in one way (RFC 8259, RFC 7493): UTF-8 without a byte order mark, no
 * member name twice, no lone surrogates, at most {@link MAX_DEPTH} levels, integers that a double holds exactly.
 * Objects have no prototype: `__proto__` is a name like another.
 *
 * @param spans filled with where everything stands in the text that {@link decodeUtf8} gives.
 */
export function readJson(bytes: Uint8Array, spans?: Spans): JsonReading {
  const text = decodeUtf8(bytes)
  if (text === undefined) return { ok: false, fault: 'utf8', pointer: '' }
  return readJsonText(text, spans)
}

export function readJsonText(text: string, spans?: Spans): JsonReading {
  const reader = new Reader(text, spans)
  try {
    return { ok: true, value: reader.document() }
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    return { ok: false, fault: error.fault, pointer: pointerOf(error.tokens.reverse()) }
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return UTF8.decode(bytes)
  } catch {
    return undefined
  }
}

class Refused extends Error {
  readonly fault: JsonFault
  /** Innermost first. */
  readonly tokens: string[] = []
  constructor(fault: JsonFault) {
    super(fault)
    this.fault = fault
  }
}

const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y
const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const CLOSE_BRACE = 0x7d
const CLOSE_BRACKET = 0x5d

class Reader {
  readonly #text: string
  readonly #spans: Spans | undefined
  #at = 0
  #depth = 0

  constructor(text: string, spans: Spans | undefined) {
    this.#text = text
    this.#spans = spans
  }

  document(): unknown {
    const value = this.#value()
    if (!Number.isNaN(this.#peek())) throw new Refused('json')
    return value
  }

  /** The next character that is no blank; NaN at the end. */
  #peek(): number {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return code
      this.#at += 1
    }
  }

  #value(): unknown {
    const code = this.#peek()
    if (code === QUOTE) return this.#string()
    if (code === 0x7b) return this.#nested(() => this.#object())
    if (code === 0x5b) return this.#nested(() => this.#array())
    if (code === 0x74) return this.#word('true', true)
    if (code === 0x66) return this.#word('false', false)
    if (code === 0x6e) return this.#word('null', null)
    return this.#number()
  }

  #nested<T>(read: () => T): T {
    this.#depth += 1
    if (this.#depth > MAX_DEPTH) throw new Refused('depth')
    this.#at += 1
    const value = read()
    this.#depth -= 1
    return value
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw new Refused('json')
    this.#at += word.length
    return value
  }

  #object(): object {
    const members = Object.create(null) as Record<string, unknown>
    const spans: Span[] | undefined = this.#spans && []
    if (this.#peek() !== CLOSE_BRACE) {
      do {
        if (this.#peek() !== QUOTE) throw new Refused('json')
        const start = this.#at
        const name = this.#string()
        // Judged before the value: whoever sends a name twice need not be read further.
        if (name in members) throw located(new Refused('duplicate'), name)
        if (this.#peek() !== 0x3a) throw new Refused('json')
        this.#at += 1
        members[name] = this.#inside(name)
        spans?.push({ name, start, end: this.#at })
      } while (this.#continues(CLOSE_BRACE))
    } else this.#at += 1
    if (spans) this.#spans?.set(members, spans)
    return members
  }

  #array(): unknown[] {
    const elements: unknown[] = []
    const spans: Span[] | undefined = this.#spans && []
    if (this.#peek() !== CLOSE_BRACKET) {
      do {
        this.#peek()
        const start = this.#at
        const name = String(elements.length)
        elements.push(this.#inside(name))
        spans?.push({ name, start, end: this.#at })
      } while (this.#continues(CLOSE_BRACKET))
    } else this.#at += 1
    if (spans) this.#spans?.set(elements, spans)
    return elements
  }

  #inside(name: string): unknown {
    try {
      return this.#value()
    } catch (error) {
      throw error instanceof Refused ? located(error, name) : error
    }
  }

  /** Takes a comma (true) or the end of what is being read (false). */
  #continues(close: number): boolean {
    const code = this.#peek()
    if (code !== COMMA && code !== close) throw new Refused('json')
    this.#at += 1
    return code === COMMA
  }

  #string(): string {
    const begun = this.#at
    let escaped = false
    for (let at = begun + 1; ; at += 1) {
      const code = this.#text.charCodeAt(at)
      if (code === QUOTE) {
        this.#at = at + 1
        if (!escaped) return this.#text.slice(begun + 1, at)
        return unescaped(this.#text.slice(begun, at + 1))
      }
      if (code === BACKSLASH) {
        escaped = true
        at += 1
      } else if (!(code >= 0x20)) throw new Refused('json') // a control character, or the end
    }
  }

  #number(): number {
    NUMBER.lastIndex = this.#at
    const found = NUMBER.exec(this.#text)
    if (found === null) throw new Refused('json')
    const [literal, fraction, exponent] = found
    this.#at += literal.length
    const value = Number(literal)
    if (!Number.isFinite(value)) throw new Refused('number')
    const isExact =
      fraction !== undefined ||
      exponent !== undefined ||
      Number.isSafeInteger(value) ||
      BigInt(literal) === BigInt(value)
    if (!isExact) throw new Refused('number')
    return value
  }
}

function unescaped(literal: string): string {
  let text: string
  try {
    text = JSON.parse(literal) as string
  } catch {
    throw new Refused('json')
  }
  // RFC 8259 §8.2: what a reader makes of a lone surrogate is not foreseeable.
  if (!text.isWellFormed()) throw new Refused('unicode')
  return text
}

function located(refused: Refused, name: string): Refused {
  refused.tokens.push(name)
  return refused
}
