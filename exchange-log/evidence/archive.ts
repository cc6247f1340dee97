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
  const add = (name: string, content: Buffer | string | undefined): void => {
    if (content === undefined) return
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

  add(FILE.verify, verifyText(evidence))
  add(FILE.exchange, `${JSON.stringify(evidence.description, undefined, 2)}\n`)
  for (const { part, record, proof } of evidence.records) {
    const { position: _position, salt, commitment: _commitment, ...said } = record
    add(recordFile(part), recordText(said))
    add(saltFile(part), salt)
    add(proofFile(part), proof)
  }
  for (const { part, manifest, jades, headers, body } of evidence.messages) {
    add(manifestFile(part), manifest)
    add(jadesFile(part), jades)
    add(headersFile(part), headers)
    if (body) addBody(bodyFile(part), body)
  }
  for (const { name, certificates, ocsp } of evidence.chains) {
    add(chainFile(name), certificates.map((der) => toPem('CERTIFICATE', der)).join(''))
    for (const [place, der] of ocsp) add(ocspFile(name, place), der)
  }
  add(FILE.checkpoint, evidence.checkpointNote)
  add(FILE.timeStamp, evidence.stamp?.token)
  add(FILE.policy, evidence.policy)
  // Asked for last, when the sums of bodies are known.
  zip.addReadStreamLazy(FILE.sums, options, (done) => done(null, Readable.from([sumsText(sums)])))
  zip.end()
  return output
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
