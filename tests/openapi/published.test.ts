import { describe, expect, it } from 'vitest'
import { at, follow, isObject, type JsonObject } from '../../openapi/document.ts'
import { readDescription } from '../../openapi/description.ts'
import { findOperation } from '../../openapi/check-message.ts'
import { PUBLISHED, publishedDescription } from '../support/published-descriptions.ts'
import { sampleOf } from '../support/schema-samples.ts'
import { judge } from './support.ts'

interface Body {
  readonly method: string
  readonly path: string
  readonly status: number | undefined
  readonly schema: string
}

/** Every JSON body of a description: of requests, and of answers with a status. */
function bodiesOf(document: JsonObject): Body[] {
  const bodies: Body[] = []
  for (const [template, item] of Object.entries(document.paths as JsonObject)) {
    for (const method of ['get', 'post', 'put', 'patch', 'delete']) {
      const operation = at('/paths', template, method)
      if (!isObject(item) || !isObject(item[method])) continue
      const path = template.replaceAll(/\{\w+\}/g, '1')
      const add = (pointer: string, status: number | undefined): void => {
        const found = follow(document, pointer)
        const schema = found && at(found.pointer, 'content', 'application/json', 'schema')
        if (schema && follow(document, schema)) {
          bodies.push({ method: method.toUpperCase(), path, status, schema })
        }
      }
      add(at(operation, 'requestBody'), undefined)
      const { responses = {} } = item[method] as { responses?: object }
      for (const status of Object.keys(responses).filter((one) => /^\d+$/.test(one))) {
        add(at(operation, 'responses', status), Number(status))
      }
    }
  }
  return bodies
}

const ofBody = (findings: readonly string[]): string[] =>
  findings.filter((finding) => finding.startsWith('body'))

describe.each(PUBLISHED)('$name', (published) => {
  it('is taken as it is: conforming bodies pass, each breach of a keyword names the place', async () => {
    const document = publishedDescription(published) as JsonObject
    const description = await readDescription(document)
    const bodies = bodiesOf(document)
    const keywords = new Map<string, number>()
    let conforming = 0
    for (const { method, path, status, schema } of bodies) {
      expect(findOperation(description, method, path)).toBeDefined()
      const said = async (value: unknown): Promise<string[]> =>
        ofBody(
          await judge(description, {
            method,
            path,
            headers: ['content-type', 'application/json'],
            body: JSON.stringify(value),
            ...(status === undefined ? {} : { status }),
          }),
        )
      const sample = sampleOf(document, schema, status === undefined ? 'request' : 'answer')
      // Not from every schema can a value be made by looking at one branch of its choices.
      if ((await said(sample.value)).length > 0) continue
      conforming += 1
      for (const { keyword, place, value } of sample.mutations) {
        expect(await said(value)).toContain(`body ${place} ${keyword}`.replace('  ', ' '))
        keywords.set(keyword, (keywords.get(keyword) ?? 0) + 1)
      }
    }
    expect(conforming).toBeGreaterThan(bodies.length * 0.6)
    expect([...keywords.keys()]).toEqual(expect.arrayContaining(['type', 'enum']))
  }, 120_000)
})
