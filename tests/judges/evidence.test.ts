/** Evidence of an exchange, judged by the commands of its own VERIFY.md, which are not ours. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { KeyKind } from '../../pki/keys.ts'
import { filesOf, judge, startJudged, unpack, type Judged } from './evidence-support.ts'

describe.each(['P-256', 'RSA-2048'] as KeyKind[])('of manifests signed with %s', (kind) => {
  let judged: Judged
  let files: Map<string, Buffer>
  beforeAll(async () => {
    judged = await startJudged(kind)
    files = await filesOf(await judged.evidence(await judged.exchange()))
  }, 30_000)
  afterAll(() => judged[Symbol.asyncDispose]())

  it('is proved', async () => {
    const folder = unpack(files)
    const { output, status } = await judge(folder)
    expect(output).toMatch(/\nPROVED: [0-9a-f-]{36}\n$/)
    expect(status).toBe(0)
    expect(readFileSync(join(folder, 'VERIFY.md'), 'utf8')).not.toMatch(/undefined|NaN|\[object/)
  }, 30_000)
})
