import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { verifyOcspResponse } from '../../pki/ocsp-verify.ts'
import { writeFileAtomically } from '../../runtime/private-file.ts'
import { ExchangeError } from '../../protocol/errors.ts'
import type { Answer, OcspQuestion } from './known-state.ts'

/** OCSP answers on disk, so that a restart during an outage knows what was known before. */
export interface AnswerFiles {
  /** The answer kept for a certificate, verified as if it had come now; undefined when there is none. */
  read(question: OcspQuestion, at: Date): Answer | undefined
  /** Keeps an answer, with the next {@link AnswerFiles.write}. */
  keep(thumbprint: string, der: Buffer): void
  /** Writes what was kept since, `most` at a time: peers hand over hundreds at once. */
  write(most: number): void
  forget(thumbprint: string): void
}

/** @param lateMs how long after its `nextUpdate` an answer is still read. */
export function createAnswerFiles(dir: string, lateMs: number, now: Date): AnswerFiles {
  const kept = new Map<string, Buffer>()
  const fileOf = (thumbprint: string): string => `${dir}/${thumbprint}.der`
  removeOld(dir, now.getTime() - lateMs - UNTOUCHED_MS)
  return {
    read: ({ certificate, issuer }, at) => {
      try {
        const der = readFileSync(fileOf(certificate.thumbprint))
        const state = verifyOcspResponse(der, { certificate, issuer, at, lateMs })
        return { der, state, source: 'disk' }
      } catch (error) {
        // None kept, or one that is over: it is asked for.
        if (error instanceof ExchangeError || isOfSystem(error)) return undefined
        throw error
      }
    },
    keep: (thumbprint, der) => void kept.set(thumbprint, der),
    write: (most) => {
      for (const [thumbprint, der] of [...kept].slice(0, most)) {
        kept.delete(thumbprint)
        writeFileAtomically(fileOf(thumbprint), der)
      }
    },
    forget: (thumbprint) => {
      kept.delete(thumbprint)
      rmSync(fileOf(thumbprint), { force: true })
    },
  }
}

/** No authority lets an answer hold for longer. */
const UNTOUCHED_MS = 30 * 86_400_000

/** Answers about certificates that are gone: a file that is used is written again and again. */
function removeOld(dir: string, before: number): void {
  if (!existsSync(dir)) return
  for (const name of readdirSync(dir)) {
    const file = `${dir}/${name}`
    if (statSync(file).mtimeMs < before) rmSync(file, { force: true })
  }
}

const isOfSystem = (error: unknown): boolean =>
  (error as NodeJS.ErrnoException).syscall !== undefined
