import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'
import { startCsvAdapter } from '../../../adapters/csv/server.ts'
import { createLogger } from '../../../runtime/logger.ts'
import { serveCsv, serveFile } from './support.ts'

const CONFIG_ERROR = { name: 'ConfigError' }

describe('the adapter does not start', () => {
  it.each([
    ['with an empty file', ''],
    ['without a header', '\n\n'],
    ['with a column without name', 'code,,b\n1,2,3\n'],
    ['with two columns of one name', 'code,a,a\n1,2,3\n'],
    ['with two columns of one name in NFC', 'code,\u00e9,e\u0301\n1,2,3\n'],
    ['with a header that is not UTF-8', Buffer.from('code,\u00e9\n', 'latin1')],
    ['with a file in UTF-16', Buffer.from('\ufeffcode,a\n1,2\n', 'utf16le')],
    ['with a header whose quote is not closed', 'code,"a\n1,2\n'],
    ['with fields separated by semicolons', 'code;a\n1;2\n'],
    ['with line ends of CR alone', 'code,a\r1,2\r'],
  ])('%s', async (_, content) => {
    await expect(serveCsv(content)).rejects.toMatchObject(CONFIG_ERROR)
  })

  it('without the key column that was asked for', async () => {
    await expect(serveCsv('a\n1\n', { key: 'b' })).rejects.toMatchObject(CONFIG_ERROR)
  })

  it('without the file, or with a folder', async () => {
    await expect(serveFile('/nowhere/rows.csv')).rejects.toMatchObject(CONFIG_ERROR)
    await expect(serveFile(tmpdir())).rejects.toMatchObject(CONFIG_ERROR)
  })

  it.each(['', '.', '..', 'a/b', 'a\\b', 'healthz', 'openapi.json', 'a\nb'])(
    'as a service called %j',
    async (service) => {
      await expect(serveCsv('a\n1\n', { service })).rejects.toMatchObject(CONFIG_ERROR)
    },
  )

  it('on a port in use', async () => {
    await using served = await serveCsv('a\n1\n')
    const { file, adapter } = served
    const logger = createLogger('test', 'silent')
    await expect(
      startCsvAdapter({ file, service: 'b', port: adapter.port, logger }),
    ).rejects.toMatchObject(CONFIG_ERROR)
  })
})

describe('the program', () => {
  it('serves the file beside its configuration and stops at SIGTERM', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'csv-adapter-'))
    writeFileSync(join(folder, 'rows.csv'), 'id,v\n1,a\n')
    const config = { file: 'rows.csv', key: 'id', service: 'rows', port: 0 }
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config))
    const program = spawn(process.execPath, ['adapters/csv/main.ts', join(folder, 'config.json')], {
      env: { ...process.env, LOG_LEVEL: 'info' },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(program, 'exit')
    for await (const line of createInterface({ input: program.stdout })) {
      const { msg, url } = JSON.parse(line) as { msg: string; url: string }
      if (msg !== 'csv adapter ready') continue
      expect(await (await fetch(`${url}/1`)).json()).toEqual({ id: '1', v: 'a' })
      program.kill('SIGTERM')
      break
    }
    expect(await ended).toEqual([0, null])
  })

  it('tells all faults of its configuration and ends with 1', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'csv-adapter-'))
    writeFileSync(join(folder, 'config.json'), '{"port": "x", "colour": 1}')
    const program = spawn(process.execPath, ['adapters/csv/main.ts', join(folder, 'config.json')], {
      stdio: ['ignore', 'ignore', 'ignore'],
    })
    expect(await once(program, 'exit')).toEqual([1, null])
  })
})
