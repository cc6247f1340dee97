import { createHash, hash } from 'node:crypto'
import { Readable, Transform } from 'node:stream'
import { ZipFile } from 'yazl'
import { toPem } from '../../pki/pem.ts'
import { recordText } from '../record.ts'
import type { Evidence, EvidenceBody } from './evidence.ts'
import {
  bodyFile,
  chainFile,
  FILE,
  headersFile,
  jadesFile,
  manifestFile,
  ocspFile,
  proofFile,
  recordFile,
  saltFile,
} from './layout.ts'
import { verifyText } from './verify-text.ts'

/** Entries are stored as they are: an archive that cannot expand needs no trust to be opened. */
const STORED = { compress: false, mode: 0o100644, forceDosTimestamp: true } as const

/** The archive, made while it is read, in constant memory. The stream fails when a body cannot be read on. */
export function evidenceArchive(evidence: Evidence): Readable {
  const zip = new ZipFile()
  const output = Readable.from(zip.outputStream as AsyncIterable<Buffer>, { objectMode: false })
  zip.on('error', (error: Error) => output.destroy(error))
  const sums = new Map<string, string>()
  const options = { ...STORED, mtime: new Date(evidence.description.madeAt) }
  const add = (name: string, content: Buffer | string): void => {
    const bytes = Buffer.from(content)
    sums.set(name, hash('sha256', bytes, 'hex'))
    zip.addBuffer(bytes, name, options)
  }
  const addBody = (name: string, body: EvidenceBody): void =>
    zip.addReadStreamLazy(name, { ...options, size: body.size }, (done) => {
      body.open().then(
        (stream) => {
          const counted = summing((digest) => sums.set(name, digest))
          stream.on('error', (error) => zip.emit('error', error))
          done(null, stream.pipe(counted))
        },
        (error: unknown) => done(error, Readable.from([])),
      )
    })

  const files = filesOf(evidence)
  add(FILE.verify, verifyText(evidence, [FILE.verify, ...files.map(([name]) => name)]))
  for (const [name, content] of files) {
    if (typeof content === 'string' || Buffer.isBuffer(content)) add(name, content)
    else addBody(name, content)
  }
  // Asked for last, when the sums of bodies are known.
  zip.addReadStreamLazy(FILE.sums, options, (done) => done(null, Readable.from([sumsText(sums)])))
  zip.end()
  return output
}

type File = readonly [name: string, content: Buffer | string | EvidenceBody]

/** All but VERIFY.md and SHA256SUMS, in the order in which they stand in the archive. */
function filesOf(evidence: Evidence): File[] {
  const { description, records, messages, chains, checkpointNote, stamp, policy } = evidence
  const files: (readonly [string, File[1] | undefined])[] = [
    [FILE.exchange, `${JSON.stringify(description, undefined, 2)}\n`],
    ...records.flatMap(({ part, record, proof }) => {
      const { position: _position, salt, commitment: _commitment, ...said } = record
      return [
        [recordFile(part), recordText(said)],
        [saltFile(part), salt],
        [proofFile(part), proof],
      ] as const
    }),
    ...messages.flatMap(
      ({ part, manifest, jades, headers, body }) =>
        [
          [manifestFile(part), manifest],
          [jadesFile(part), jades],
          [headersFile(part), headers],
          [bodyFile(part), body],
        ] as const,
    ),
    ...chains.flatMap(({ name, certificates, ocsp }) => [
      [chainFile(name), certificates.map((der) => toPem('CERTIFICATE', der)).join('')] as const,
      ...[...ocsp].map(([place, der]) => [ocspFile(name, place), der] as const),
    ]),
    [FILE.checkpoint, checkpointNote],
    [FILE.timeStamp, stamp?.token],
    [FILE.policy, policy],
  ]
  return files.flatMap(([name, content]) =>
    content === undefined ? [] : [[name, content] as const],
  )
}

/** As `sha256sum` prints it: lower-case digest, two spaces, name; sorted by bytes of the name. */
export function sumsText(sums: ReadonlyMap<string, string>): string {
  const lines = [...sums].map(([name, digest]) => [name, `${digest}  ${name}\n`] as const)
  return lines
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, line]) => line)
    .join('')
}

function summing(done: (digest: string) => void): Transform {
  const digest = createHash('sha256')
  return new Transform({
    transform: (chunk: Buffer, _encoding, next) => {
      digest.update(chunk)
      next(null, chunk)
    },
    flush: (next) => {
      done(digest.digest('hex'))
      next()
    },
  })
}
