/** What a route says of itself: the OpenAPI description of a program is made of it (openapi-description.ts). */
import type { ErrorCode } from '../protocol/errors.ts'

/**
 * JSON Schema 2020-12, and `nullable` as ajv reads it. One with a `title` becomes a component of that name; two
 * different ones with the same title are a mistake.
 */
export type Schema = object

/** Checks a body, by the schema that describes it. */
export interface BodyParser<T = unknown> {
  /** @throws ExchangeError `admin.invalid` (422) naming every fault by its JSON pointer. */
  (body: unknown): T
  readonly schema: Schema
}

export interface Parameter {
  readonly schema: Schema
  readonly description?: string
  readonly required?: boolean
}

/** Of a request that was done. */
export interface Answer {
  /** By media type; without, the answer has no body. */
  readonly content?: Readonly<Record<string, Schema>>
  readonly headers?: Readonly<Record<string, { readonly description: string; schema: Schema }>>
  readonly description?: string
}

export interface RouteDescription {
  /** One line: `Put a member`. */
  readonly summary: string
  /** What the summary leaves open. */
  readonly details?: string
  /** Made of method and path when left out. */
  readonly operationId?: string
  readonly query?: Readonly<Record<string, Parameter>>
  /** Parameters of the path that are more than some text. */
  readonly path?: Readonly<Record<string, Parameter>>
  /** What checks the body: its schema is the description. */
  readonly body?: BodyParser
  /** Without a body, an empty object is meant. */
  readonly isBodyOptional?: boolean
  /** By status. */
  readonly answers: Readonly<Record<number, Answer>>
  /** Beside those that its method, its access and its body bring with them. */
  readonly refusals?: readonly ErrorCode[]
  /** How the caller of a public route proves who it is; absent: anybody may call it. */
  readonly proof?: string
}

/** Whatever is wrong with DER. */
export const ENCODING_REFUSALS = [
  ...(['encoding.malformed', 'encoding.truncated', 'encoding.trailing-bytes'] as const),
  ...(['encoding.not-minimal', 'encoding.too-deep', 'encoding.too-large'] as const),
] as const satisfies readonly ErrorCode[]

export const json = (schema: Schema): Answer => ({ content: { 'application/json': schema } })
/** Bytes or text of another media type. */
export const media = (type: string, description?: string): Answer => ({
  content: { [type]: { type: 'string', ...(description ? { description } : {}) } },
})
/** 204. */
export const NOTHING: Answer = {}
/** What a PUT answers: 201 when it is new. */
export const putAnswers = (schema: Schema): RouteDescription['answers'] => ({
  200: json(schema),
  201: json(schema),
})

export const text = { type: 'string' } as const
export const flag = { type: 'boolean' } as const
/** From 0 on. */
export const whole = { type: 'integer', minimum: 0 } as const
export const time = { type: 'string', format: 'date-time' } as const
export const base64 = { type: 'string', contentEncoding: 'base64' } as const
export const oneOf = (...values: readonly string[]): Schema => ({ type: 'string', enum: values })
export const listOf = (items: Schema): Schema => ({ type: 'array', items })

/** An object of which `required` members are always there, and which has no others than those named. */
export function object(
  required: Readonly<Record<string, Schema>>,
  optional: Readonly<Record<string, Schema>> = {},
): Schema {
  return {
    type: 'object',
    required: Object.keys(required),
    properties: { ...required, ...optional },
    additionalProperties: false,
  }
}
/** An object whose members the program does not look into, or which are described elsewhere. */
export const anyObject = (description: string): Schema => ({ type: 'object', description })
/** A component of the description. */
export const named = (title: string, schema: Schema): Schema => ({ title, ...schema })
