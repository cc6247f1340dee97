/** Signed contracts, judged by a program that is not ours: Debian's python3-jwcrypto. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { readVectors } from '../protocol/support.ts'

const PYTHON = `
import sys, json, hashlib
from jwcrypto import jwk, jws
vectors = json.load(open(sys.argv[1]))
for case in vectors['cases']:
    try:
        document = json.loads(case['jws'])
        payload = None
        for one in document['signatures']:
            token = jws.JWS()
            flat = {'payload': document['payload'], 'protected': one['protected'], 'signature': one['signature']}
            token.deserialize(json.dumps(flat))
            kid = json.loads(token.objects['protected'])['kid']
            token.verify(jwk.JWK(**vectors['keys'][kid]))
            payload = token.payload
        print(hashlib.sha256(payload).digest().hex())
    except Exception:
        print('refused')
`
interface Case {
  readonly comment: string
  readonly code: string | null
  readonly digest?: string
  readonly jws: string
}
const dir = mkdtempSync(join(tmpdir(), 'contract-judge-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

it('jwcrypto believes what we believe, and no signature that we do not', () => {
  const vectors = readVectors<{ cases: Case[] }>('contract')
  const file = join(dir, 'vectors.json')
  writeFileSync(file, JSON.stringify(vectors))
  const script = join(dir, 'judge.py')
  writeFileSync(script, PYTHON)
  const lines = execFileSync('/usr/bin/python3', [script, file], { encoding: 'utf8' })
    .trim()
    .split('\n')
  expect(lines).toHaveLength(vectors.cases.length)
  vectors.cases.forEach(({ comment, code, digest }, i) => {
    if (code === null) {
      expect(Buffer.from(lines[i]!, 'hex').toString('base64url'), comment).toBe(digest)
    }
    if (code === 'contract.signature-invalid') expect(lines[i], comment).toBe('refused')
  })
})
