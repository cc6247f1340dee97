import { describe, expect, it } from 'vitest'
import { faultBody } from '../../gateway/http/reply.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import { toProblem, toXRoadFault } from '../../protocol/problem.ts'
import { ID } from './support.ts'

const problem = toProblem(
  new ExchangeError('access.denied', `<b> & "quoted" 'ខ្មែរ'`),
  'provider-gateway',
  ID,
)
const JSON_TYPE = 'application/json;charset=utf-8'
const PROBLEM = 'application/problem+json'
const XML = 'text/xml;charset=utf-8'

describe('the body of a refusal', () => {
  it.each([
    [undefined, JSON_TYPE],
    ['', JSON_TYPE],
    ['*/*', JSON_TYPE],
    ['application/json', JSON_TYPE],
    ['application/*', JSON_TYPE],
    ['text/html', JSON_TYPE],
    ['application/problem+json', PROBLEM],
    ['Application/Problem+JSON ; charset=utf-8', PROBLEM],
    ['text/xml', XML],
    ['text/*', XML],
    ['application/xml', 'application/xml;charset=utf-8'],
    ['text/html, application/xhtml+xml, application/xml;q=0.9', 'application/xml;charset=utf-8'],
    ['text/html,text/xml', XML],
    ['application/json, text/xml', JSON_TYPE],
    ['text/xml, application/json', XML],
    ['*/*, application/problem+json', PROBLEM],
    ['application/json;q=0.1, application/problem+json;q=0.9', JSON_TYPE],
    ['application/problem+json;q=0, application/json', PROBLEM],
    ['application/problem+jsonx', JSON_TYPE],
    [',,text/xml', XML],
  ])('for Accept %j is %s', (accept, contentType) => {
    expect(faultBody(problem, accept).contentType).toBe(contentType)
  })

  it('is the problem document, the fault, or the fault in XML', () => {
    const fault = toXRoadFault(problem)
    expect(JSON.parse(faultBody(problem, PROBLEM).body)).toEqual(problem)
    expect(JSON.parse(faultBody(problem, undefined).body)).toEqual(fault)
    const xml = faultBody(problem, 'text/xml').body
    const [, type, message = '', detail] =
      /^<\?xml version="1.0" encoding="UTF-8"\?><error><type>(.*)<\/type><message>(.*)<\/message><detail>(.*)<\/detail><\/error>$/.exec(
        xml,
      ) ?? []
    expect([type, detail]).toEqual([fault.type, ID])
    expect(message).not.toMatch(/[<>"']|&(?!#\d+;)/)
    const read = message.replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(+code))
    expect(read).toBe(fault.message)
  })
})
