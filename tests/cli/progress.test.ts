import { stripVTControlCharacters } from 'node:util'
import { expect, it } from 'vitest'
import { createProgress } from '../../cli/progress.ts'

function shown(isTTY: boolean): string {
  let written = ''
  let ms = 0
  const stream = { isTTY, columns: 120, write: (text: string) => Boolean((written += text)) }
  {
    using progress = createProgress({ stream, unit: 'records', now: () => ms })
    for (let done = 0; done <= 3000; done += 100) {
      progress.update(done, 3000, 'nothing wrong')
      ms += 1000
    }
  }
  return written
}

it('says the same on a terminal and in a pipe', () => {
  const lines = shown(false).trimEnd().split('\n')
  const onTerminal = stripVTControlCharacters(shown(true)).split(/[\r\n]+/)
  expect(lines).toHaveLength(6)
  for (const line of lines) expect(onTerminal).toContain(line)
  expect(lines[2]).toBe(
    '[########........]  50 %  1500 of 3000 records  100/s  0:15 left  nothing wrong',
  )
  expect(lines.at(-1)).toContain('[################] 100 %  3000 of 3000 records')
})

it('writes over itself on a terminal, and leaves the last line there', () => {
  const written = shown(true)
  expect(written.split('\r').length).toBeGreaterThan(20)
  expect(written.endsWith('nothing wrong\n')).toBe(true)
  expect(written.match(/\n/g)).toHaveLength(1)
})

it('says nothing in a pipe about work that is done at once', () => {
  let written = ''
  const stream = { isTTY: false, columns: 80, write: (text: string) => Boolean((written += text)) }
  {
    using progress = createProgress({ stream, unit: 'records', now: () => 0 })
    progress.update(10, 10)
  }
  expect(written).toBe('')
})
