import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { JSONSchemaType } from 'ajv'
import { expect, it } from 'vitest'
import { ConfigError, readConfig, relativeTo } from '../../runtime/config.ts'

interface Example {
  name: string
  port: number
  nested: { path: string }
}
const schema: JSONSchemaType<Example> = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'nested'],
  properties: {
    name: { type: 'string', minLength: 1 },
    port: { type: 'integer', minimum: 0, maximum: 65535, default: 5500 },
    nested: {
      type: 'object',
      additionalProperties: false,
      required: ['path'],
      properties: { path: { type: 'string' } },
    },
  },
}

function fileWith(content: unknown): string {
  const file = join(mkdtempSync(join(tmpdir(), 'config-')), 'config.json')
  writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content))
  return file
}
function faultOf(file: string): string {
  try {
    readConfig(file, schema)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return 'none'
}

it('fills in what has a default and keeps what is given', () => {
  const given = { name: 'a', nested: { path: 'x' } }
  expect(readConfig(fileWith(given), schema)).toEqual({ ...given, port: 5500 })
  expect(readConfig(fileWith({ ...given, port: 0 }), schema).port).toBe(0)
})

it('names the file and every fault at once', () => {
  const file = fileWith({ name: '', prot: 1, port: 70_000, nested: { path: 7 } })
  const fault = faultOf(file)
  expect(fault).toContain(file)
  for (const part of ['/name', 'prot', '/port', '/nested/path']) expect(fault).toContain(part)
})

it('refuses a key that it does not know, at every depth', () => {
  expect(faultOf(fileWith({ name: 'a', nested: { path: 'x', pth: 'y' } }))).toContain('pth')
})

it('takes no value of another type for the right one', () => {
  expect(faultOf(fileWith({ name: 'a', port: '80', nested: { path: 'x' } }))).toContain('/port')
})

it.each(['', '{', 'name: a', '[]', 'null', '\u0000'])(
  'refuses %j with the name of the file',
  (text) => {
    const file = fileWith(text)
    expect(faultOf(file)).toContain(file)
  },
)

it('refuses a file that is missing', () => {
  expect(faultOf('/nowhere/config.json')).toContain('/nowhere/config.json')
})

it('takes paths as relative to the file, wherever the program was started', () => {
  const at = relativeTo('/etc/spean/gateway.json')
  expect(at('keys/a.pem')).toBe('/etc/spean/keys/a.pem')
  expect(at('../a.pem')).toBe('/etc/a.pem')
  expect(at('/var/a.pem')).toBe('/var/a.pem')
})
