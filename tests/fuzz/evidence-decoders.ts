/** Archives of evidence, and the files in them under sums that fit: what is behind the sums is reached only so. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EvidenceError } from '../../exchange-log/evidence/evidence-errors.ts'
import { verifyEvidence } from '../../exchange-log/evidence/verify.ts'
import { filesOf, pack, resummed } from '../judges/evidence-archive.ts'
import type { Decoder } from './decoders.ts'

const archive = readFileSync(join(import.meta.dirname, 'seeds', 'evidence.zip'))
const files = await filesOf(archive)
const folder = mkdtempSync(join(tmpdir(), 'spean-fuzz-'))
process.once('exit', () => rmSync(folder, { recursive: true, force: true }))

const NAMES = [
  'exchange.json',
  'request/record.json',
  'request/proof.tlog-proof',
  'request/manifest.jws',
  'request/manifest.jades.json',
  'certificates/time-stamp.pem',
  'ocsp/request-signer.der',
  'time-stamp.tst',
  'checkpoint',
  'policy',
]

export const EVIDENCE_DECODERS: Readonly<Record<string, Decoder>> = {
  // Inputs are cut at 64 KiB: an archive without its long files.
  'evidence-archive': { seeds: [await pack(resummed(shortFiles()))], decode: verify },
  'evidence-file': {
    seeds: NAMES.map((name) => files.get(name)!),
    decode: async (bytes) => {
      // Which file it was is told by what it begins with; otherwise it stands in for any.
      const name = NAMES.find((one) => files.get(one)!.subarray(0, 8).equals(bytes.subarray(0, 8)))
      const other = NAMES[bytes.length % NAMES.length]!
      await verify(await pack(resummed(new Map([...files, [name ?? other, bytes]]))))
    },
  },
}

function shortFiles(): Map<string, Buffer> {
  return new Map([...files].filter(([, bytes]) => bytes.length < 4096))
}

async function verify(bytes: Buffer): Promise<void> {
  const file = join(folder, `${process.pid}.zip`)
  writeFileSync(file, bytes)
  const { checks } = await verifyEvidence(file)
  const failed = checks.find(({ code }) => code !== undefined)
  if (failed?.code) throw new EvidenceError(failed.code, failed.says)
}
