import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { FINDINGS } from '../../exchange-log/verify/finding.ts'
import { formatVkey } from '../../protocol/signed-note.ts'
import { cutRecords, cutTree, run } from '../exchange-log/tamper-support.ts'
import {
  copyOf,
  newLogKey,
  tamper,
  timeOf,
  type WrittenLog,
} from '../exchange-log/verify-support.ts'
import { logOfFile } from '../support/log-of-file.ts'
import { ROOT } from '../support/sandbox.ts'

const { tsa, log } = await logOfFile([300, 600])

async function spean(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [join(ROOT, 'cli', 'main.ts'), ...args])
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number]>,
  ])
  return { code, stdout, stderr }
}
const vkeyOf = ({ key }: WrittenLog): string => formatVkey(key.verifier)

describe('spean log verify', () => {
  it('says what it verified, and that nothing is wrong', async () => {
    const anchor = join(tsa.folder, 'root.pem')
    const args = ['--log-key', vkeyOf(log), '--anchor', anchor, '--signatures']
    const { code, stdout, stderr } = await spean('log', 'verify', log.folder, ...args)
    expect(stderr).toBe('')
    expect(stdout).toContain('600, from position 1 to 600')
    expect(stdout).toContain('1, up to position 300')
    expect(stdout).toContain('600 of manifests')
    expect(stdout.trimEnd().endsWith('nothing is wrong')).toBe(true)
    expect(code).toBe(0)
  })

  it('names the first bad record and ends with 1; all of them with --all', async () => {
    const altered = copyOf(log)
    tamper(altered, 'exchange-log.db', run("UPDATE record SET userId = 'x' WHERE position > 550"))
    const verify = ['log', 'verify', altered.folder, '--log-key', vkeyOf(log)]
    const first = await spean(...verify)
    expect(first.code).toBe(1)
    expect(first.stdout).toMatch(/^record\.altered at 551 \(exchange [0-9a-f-]{36}\): /)
    expect(first.stdout.match(/record\.altered/g)).toHaveLength(1)
    expect(first.stdout).toMatch(/^stopped at the first that is wrong; --all goes on/m)
    const everyOne = await spean(...verify, '--all')
    expect(everyOne.stdout.trimEnd().endsWith('50 wrong')).toBe(true)
    const all = await spean('--json', ...verify, '--all')
    expect(all.code).toBe(1)
    expect((JSON.parse(all.stdout) as { findings: unknown[] }).findings).toHaveLength(50)
  })

  it('takes a range by times', async () => {
    const range = ['--from', timeOf(100).toISOString(), '--to', timeOf(201).toISOString()]
    const args = ['log', 'verify', log.folder, '--log-key', vkeyOf(log), ...range]
    const { stdout } = await spean('--json', ...args)
    expect(JSON.parse(stdout)).toMatchObject({ from: 100, to: 200, records: 101, findings: [] })
  })

  it('finds a log that was cut, by the checkpoint of somebody who has seen it', async () => {
    const cut = copyOf(log)
    let note = ''
    tamper(cut, 'log-tree.db', (db) => {
      note = String(db.prepare('SELECT note FROM checkpoint WHERE size = 600').get()!.note)
      cutTree(db, 300)
    })
    tamper(cut, 'exchange-log.db', (db) => cutRecords(db, 300))
    const seen = join(cut.folder, 'seen.txt')
    writeFileSync(seen, note)
    const verify = ['log', 'verify', cut.folder, '--log-key', vkeyOf(log)]
    expect((await spean(...verify)).code).toBe(0)
    const found = await spean(...verify, '--checkpoint', seen)
    expect(found.code).toBe(1)
    expect(found.stdout).toMatch(/^record\.missing at 301 to 600: /)
  })

  it.each([
    ['nowhere', ['log', 'verify', '/nowhere'], /no such file/],
    ['no key', [], /give --log-key/],
    ['no verifier key', ['--log-key', 'x'], /NAME\+KEYID\+KEY/],
    ['a place that is none', ['--from', 'yesterday'], /neither a position nor a time/],
    ['a checkpoint that is none', ['--checkpoint', '/etc/hostname'], /hostname/],
    ['certificates that are none', ['--anchor', '/etc/hostname'], /hostname/],
  ])('says what is wrong when it is given %s, and ends with 2', async (what, args, message) => {
    const key = what.endsWith('key') ? [] : ['--log-key', vkeyOf(log)]
    const verify = args[0] === 'log' ? args : ['log', 'verify', log.folder, ...args]
    const { code, stderr } = await spean(...verify, ...key)
    expect(stderr).toMatch(message)
    expect(code).toBe(2)
  })

  it("does not take another log's checkpoint", async () => {
    const { code, stdout } = await spean('log', 'verify', log.folder, '--log-key', vkeyOf2())
    expect(stdout).toMatch(/^checkpoint\.unsigned at 300: /)
    expect(code).toBe(1)
  })
})
const vkeyOf2 = (): string => formatVkey(newLogKey().verifier)

it('has every code in docs/log-verification.md, with the same words', () => {
  const doc = readFileSync(join(ROOT, 'docs', 'log-verification.md'), 'utf8')
  const rows = [...doc.matchAll(/^\| `([a-z.-]+)` \| (.+?) \|/gm)].map(([, code, text]) => [
    code,
    text,
  ])
  expect(rows).toEqual(Object.entries(FINDINGS))
})
