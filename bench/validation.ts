/** What it costs to compare a message below 2 KB with its description: `npm run bench:validation`. */
import { checkAnswer, checkRequest, findOperation } from '../openapi/check-message.ts'
import { readDescription } from '../openapi/description.ts'
import { createFieldFilter } from '../openapi/field-filter.ts'
import { headerBlock } from '../protocol/header-block.ts'

const text = (maxLength: number): object => ({ type: 'string', minLength: 1, maxLength })
const PERSON = {
  type: 'object',
  required: ['id', 'name', 'born', 'addresses'],
  additionalProperties: false,
  properties: {
    id: { type: 'string', pattern: '^[0-9]{9}$' },
    name: text(200),
    born: { type: 'string', format: 'date' },
    sex: { enum: ['female', 'male'] },
    addresses: {
      type: 'array',
      maxItems: 20,
      items: {
        type: 'object',
        required: ['city'],
        additionalProperties: false,
        properties: { city: text(100), street: text(200), house: { type: 'integer', minimum: 1 } },
      },
    },
  },
}
const address = { city: 'ភ្នំពេញ', street: 'Preah Norodom Boulevard (41), Phsar Thmei', house: 132 }
const person = {
  id: '010203001',
  name: 'សុខ ដារ៉ា',
  born: '1990-04-14',
  sex: 'male',
  addresses: Array.from({ length: 14 }, () => address),
}

const content = { 'application/json': { schema: PERSON } }
const page = { name: 'page', in: 'query', schema: { type: 'integer', minimum: 1 } }
const description = await readDescription({
  openapi: '3.1.0',
  info: { title: 'People', version: '1' },
  paths: {
    '/persons/{id}': {
      post: {
        parameters: [page],
        requestBody: { required: true, content },
        responses: { 200: { description: 'good', content } },
      },
    },
  },
})
const headers = headerBlock(['content-type', 'application/json'])
const bytes = Buffer.from(JSON.stringify(person))
const body = { size: bytes.length, read: async () => ({ bytes }) }
const filter = createFieldFilter(['/name', '/addresses/*/city'])

const CASES: Record<string, () => unknown> = {
  'JSON.parse alone, for comparison': () => JSON.parse(bytes.toString('utf8')) as unknown,
  'request: operation, parameters, body': () => {
    const found = findOperation(description, 'POST', '/persons/010203001')!
    return checkRequest(description, found, { query: '?page=1', headers }, body)
  },
  'answer: body': () => {
    const { operation } = findOperation(description, 'POST', '/persons/010203001')!
    return checkAnswer(description, operation, { status: 200, headers, isHead: false }, body)
  },
  'answer: fields of a contract taken out': () => filter.apply(bytes),
}

const ROUNDS = 5
const CALLS = 20_000
console.log(
  `body of ${bytes.length} bytes, ${ROUNDS} times ${CALLS} calls, the fastest and slowest`,
)
for (const [name, run] of Object.entries(CASES)) {
  for (let i = 0; i < CALLS / 4; i += 1) await run()
  const microseconds: number[] = []
  for (let round = 0; round < ROUNDS; round += 1) {
    const begun = performance.now()
    for (let i = 0; i < CALLS; i += 1) await run()
    microseconds.push(((performance.now() - begun) * 1000) / CALLS)
  }
  const figures = [Math.min(...microseconds), Math.max(...microseconds)]
  console.log(`${name}: ${figures.map((figure) => figure.toFixed(1)).join(' to ')} µs`)
}
