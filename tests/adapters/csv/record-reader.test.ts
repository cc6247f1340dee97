import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRecordReader } from '../../../adapters/csv/record-reader.ts'

function read(
  bytes: Buffer,
  chunkBytes: number,
): { records: [number, string[]][]; broken: number[] } {
  const records: [number, string[]][] = []
  const broken: number[] = []
  const reader = createRecordReader({
    record: (line, fields) => records.push([line, fields]),
    broken: (line) => broken.push(line),
  })
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    reader.push(bytes.subarray(at, at + chunkBytes))
  }
  reader.end()
  return { records, broken }
}

const quoted = (field: string): string => `"${field.replaceAll('"', '""')}"`

describe('record-reader', () => {
  it('gives back any fields that were quoted, with the line of each, in pieces of any size', () => {
    const field = fc.string({ unit: fc.constantFrom('a', 'ក', '"', ',', '\n', '\r\n', ' ', '😀') })
    const rows = fc.array(fc.array(field, { minLength: 1, maxLength: 4 }), { minLength: 1 })
    fc.assert(
      fc.property(
        rows,
        fc.constantFrom('\n', '\r\n'),
        fc.integer({ min: 1, max: 40 }),
        (fields, eol, chunkBytes) => {
          let line = 1
          const expected: [number, string[]][] = []
          const text = fields.map((row) => {
            const record = `${row.map(quoted).join(',')}${eol}`
            expected.push([line, row])
            line += record.split('\n').length - 1
            return record
          })
          const { records, broken } = read(Buffer.from(text.join('')), chunkBytes)
          expect(records).toEqual(expected)
          expect(broken).toEqual([])
        },
      ),
    )
  })

  it('reads any bytes at all without a crash, each piece size giving the same', () => {
    const byte = fc.constantFrom(0x22, 0x2c, 0x0a, 0x0d, 0x61, 0xe1, 0xff, 0xef, 0xbb, 0xbf)
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 60 }), (bytes) => {
        const whole = read(Buffer.from(bytes), 1000)
        expect(read(Buffer.from(bytes), 1)).toEqual(whole)
      }),
    )
  })

  it('drops a byte order mark that arrives in pieces', () => {
    expect(read(Buffer.from('\ufeffcode\n'), 1).records).toEqual([[1, ['code']]])
  })

  it('passes over empty lines and keeps counting them', () => {
    const { records } = read(Buffer.from('a\n\n\r\nb'), 1000)
    expect(records).toEqual([
      [1, ['a']],
      [4, ['b']],
    ])
  })

  it('loses one line to a quote that nobody closed, however much follows', () => {
    const bytes = Buffer.from(`a,"b\n${'c,d\n'.repeat(400_000)}`)
    const { records, broken } = read(bytes, 64 * 1024)
    expect(broken).toEqual([1])
    expect(records).toHaveLength(400_000)
    expect(records.at(-1)).toEqual([400_001, ['c', 'd']])
  })

  it('loses one line to a line without end and does not keep it in memory', () => {
    const bytes = Buffer.from(`a\n${'x'.repeat(3_000_000)}\nb`)
    expect(read(bytes, 64 * 1024)).toEqual({
      records: [
        [1, ['a']],
        [3, ['b']],
      ],
      broken: [2],
    })
  })
})
