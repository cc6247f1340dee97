/** What is sent and answered: a record of a register, as long as it is asked for. */

/** As published, in OpenAPI 3.1: each member has a type, so that validation has work to do. */
export const RECORDS_DESCRIPTION = {
  openapi: '3.1.0',
  info: { title: 'Records', version: '1.0.0' },
  paths: {
    '/': {
      post: {
        requestBody: {
          required: true,
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Record' } } },
        },
        responses: {
          '200': {
            description: 'The same record.',
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Record' } } },
          },
        },
      },
    },
  },
  components: {
    schemas: {
      Record: {
        type: 'object',
        additionalProperties: false,
        required: ['id', 'places'],
        properties: {
          id: { type: 'string', pattern: '^[0-9]{8}$' },
          places: { type: 'array', items: { $ref: '#/components/schemas/Place' } },
          note: { type: 'string' },
        },
      },
      Place: {
        type: 'object',
        additionalProperties: false,
        required: ['code', 'name', 'population', 'since'],
        properties: {
          code: { type: 'string', pattern: '^[0-9]{6}$' },
          name: { type: 'string', minLength: 1, maxLength: 200 },
          population: { type: 'integer', minimum: 0 },
          since: { type: 'string', format: 'date' },
        },
      },
    },
  },
}

/** A record in JSON of exactly `bytes` bytes, at least 40. */
export function recordOf(bytes: number): Buffer {
  const places: object[] = []
  const text = (note: string): string => JSON.stringify({ id: '20260101', places, note })
  for (let i = 0; ; i += 1) {
    const code = String(i % 1_000_000).padStart(6, '0')
    places.push({ code, name: `Sangkat ${code}`, population: 1000 + i, since: '2008-05-22' })
    if (text('').length <= bytes) continue
    places.pop()
    return Buffer.from(text('x'.repeat(bytes - text('').length)), 'ascii')
  }
}
