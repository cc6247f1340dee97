/** An OpenAPI document as a small register has it: three paths, five operations, each with its texts. */
export function apiDescription(number: number): Record<string, unknown> {
  const record = {
    type: 'object',
    required: ['id', 'nameKhmer', 'nameLatin'],
    properties: {
      id: { type: 'string', pattern: '^[0-9]{9}$' },
      nameKhmer: { type: 'string', description: 'ឈ្មោះជាភាសាខ្មែរ' },
      nameLatin: { type: 'string', description: 'Name in Latin letters' },
      bornOn: { type: 'string', format: 'date' },
    },
  }
  const answer = {
    200: { description: 'Found', content: { 'application/json': { schema: record } } },
    404: { description: 'Not found' },
  }
  const operation = (summary: string) => ({ summary: `${summary} ${number}`, responses: answer })
  const id = { name: 'id', in: 'path', required: true, schema: { type: 'string' } }
  return {
    openapi: '3.0.3',
    info: { title: `Register ${number}`, version: '1.0.0', description: 'បញ្ជីរបស់រដ្ឋ' },
    paths: {
      [`/v1/records${number}`]: { get: operation('Search'), post: operation('Add to') },
      [`/v1/records${number}/{id}`]: {
        parameters: [id],
        get: operation('One of'),
        put: operation('Change in'),
      },
      '/v1/changes': { get: operation('Changes of') },
    },
  }
}
