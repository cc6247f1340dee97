import { describe, expect, it } from 'vitest'
import { pathOf } from '../../gateway/services/http-service.ts'

describe('the path at a service', () => {
  it.each([
    ['http://h', '', '', '/'],
    ['http://h/', '', '', '/'],
    ['http://h', '/', '', '/'],
    ['http://h', '', '?q=1', '/?q=1'],
    ['http://h', '/a', '?q=1', '/a?q=1'],
    ['http://h/', '/a', '', '/a'],
    ['http://h/base', '', '', '/base'],
    ['http://h/base', '', '?q', '/base?q'],
    ['http://h/base', '/', '', '/base/'],
    ['http://h/base/', '/', '', '/base/'],
    ['http://h/base', '/a/b', '', '/base/a/b'],
    ['http://h/base/', '/a/b', '?', '/base/a/b?'],
    ['https://h:1/a/b/', '//c', '', '/a/b//c'],
    ['http://h/base', '/%2e%2E/%2f?', '', '/base/%2e%2E/%2f?'],
    ['http://h/base', '/a;b=c/%E1%9E%80', '?d=%20&d=+', '/base/a;b=c/%E1%9E%80?d=%20&d=+'],
  ])('%s with %j and %j is %s', (url, servicePath, query, path) => {
    expect(pathOf(url, { servicePath, query })).toBe(path)
  })
})
