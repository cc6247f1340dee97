import { describe, expect, it } from 'vitest'
import { CALLER_ERRORS } from '../../protocol/caller-errors.ts'
import { ERRORS } from '../../protocol/error-table.ts'
import { errorEntry, ExchangeError, isErrorCode } from '../../protocol/errors.ts'
import { protocolText } from './support.ts'

const entries = Object.entries(ERRORS)

describe('the table of errors', () => {
  it.each(entries)('%s has a status, a fault code, a title and a remedy', (code, entry) => {
    expect(code).toMatch(/^(internal|[a-z]+\.[a-z]+(-[a-z]+)*)$/)
    expect(entry.status).toSatisfy((status: number) => status >= 400 && status <= 599)
    expect(entry.fault).toMatch(/^(client|server\.\$)(\.[a-z0-9_]+)+$/)
    expect(entry.title).toMatch(/^[A-Z].*[^.]$/)
    expect(entry.remedy).toMatch(/^.{10,}\.$/)
  })

  it('blames the client in the fault code exactly where the caller can mend it', () => {
    for (const [code, { status, fault }] of entries) {
      if (fault.startsWith('client.')) expect([code, status < 500]).toEqual([code, true])
      if (status >= 500) expect([code, fault.slice(0, 7)]).toEqual([code, 'server.'])
    }
  })

  it('tells every code by its own title, but for none', () => {
    const titles = entries.map(([, { title }]) => title)
    expect(new Set(titles).size).toBe(titles.length)
  })

  it('holds every caller error, none of them replaced', () => {
    expect(ERRORS).toMatchObject(CALLER_ERRORS)
  })

  it('is the table in the text of the protocol', () => {
    const listed = [...section(8).matchAll(/^\| `([\w.-]+)` \| (\d+) \| `([\w.$]+)` \|$/gm)]
    expect(listed.map(([, code, status, fault]) => [code, Number(status), fault])).toEqual(
      entries.map(([code, { status, fault }]) => [code, status, fault]),
    )
  })

  it('says whose move it is as the text of the protocol does', () => {
    const rows = [
      ...section(8).matchAll(/^\| [`*](client|provider|instance|here|there)[`*] \| (`.*) \|$/gm),
    ]
    const named = new Map(
      rows.flatMap(([, move, codes = '']) =>
        [...codes.matchAll(/`([^`]+)`/g)].map(([, name]) => [name, move]),
      ),
    )
    expect(
      entries.map(([code]) => [code, named.get(code) ?? named.get(code.replace(/\..*/, '.*'))]),
    ).toEqual(entries.map(([code, { move }]) => [code, move]))
  })

  it('has every code that the text of the protocol names', () => {
    const groups = new Set(Object.keys(ERRORS).map((code) => code.split('.')[0]!))
    const faults = /^(\| `[\w.-]+` \| \d+ \|) .*$/gm // a column of X-Road's codes, not ours
    const named = [
      ...protocolText()
        .replace(faults, '$1')
        .matchAll(/`([a-z]+)\.([a-z*-]+)`/g),
    ]
    for (const [, group = '', rest = ''] of named) {
      if (!groups.has(group) || /^(ts|json)$/.test(rest)) continue
      const code = `${group}.${rest}`
      if (rest.endsWith('*')) expect(groups).toContain(group)
      else expect([code, isErrorCode(code)]).toEqual([code, true])
    }
  })
})

describe('ExchangeError', () => {
  it('takes its status from the table and keeps its cause', () => {
    const cause = new TypeError('why')
    const error = new ExchangeError('access.denied', 'no grant', { cause, origin: 'service' })
    expect(error).toMatchObject({ code: 'access.denied', status: 403, origin: 'service', cause })
    expect(new ExchangeError('internal', 'x')).not.toHaveProperty('cause')
    expect(errorEntry('access.denied').status).toBe(403)
  })

  it('knows the codes of this table and no names of objects', () => {
    expect(isErrorCode('access.denied')).toBe(true)
    for (const other of [
      'toString',
      '__proto__',
      'constructor',
      '',
      'access',
      7,
      null,
      undefined,
    ]) {
      expect(isErrorCode(other)).toBe(false)
    }
  })
})

function section(number: number): string {
  return protocolText()
    .split(/^## /m)
    .find((text) => text.startsWith(`${number}. `))!
}
