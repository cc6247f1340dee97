import { hash } from 'node:crypto'
import { ExchangeError } from '../../protocol/errors.ts'
import { CertificateError, type Certificate } from '../../pki/certificate.ts'
import { parseSignedData } from '../../pki/cms-signed-data.ts'
import { DerError } from '../../pki/der.ts'
import { verifyTimeStamp } from '../../pki/tsp-verify.ts'
import { parseTstInfo } from '../../pki/tst-info.ts'
import type { LogStamp } from '../stamp-store.ts'
import type { Report } from './finding.ts'
import type { LogSource } from './source.ts'
import type { StampedSize } from './times.ts'

/**
 * Checks a token.
 *
 * @param text of the checkpoint that it should be about.
 * @param anchors of time-stamping authorities. Undefined: that it was not altered is checked, not whose it is.
 */
export function checkStamp(
  { size, token, genTime }: LogStamp,
  text: string,
  anchors: readonly Certificate[] | undefined,
  report: Report,
): void {
  const altered = (why: string): void => {
    const detail = `the time-stamp over the tree of ${size}: ${why}`
    report({ code: 'stamp.altered', position: size, detail })
  }
  try {
    const { content, certificates, isSigner } = parseSignedData(token)
    const said = parseTstInfo(content).genTime
    if (said.getTime() !== genTime.getTime()) {
      altered(
        `it says ${said.toISOString()}, and is kept as of ${Number.isNaN(genTime.getTime()) ? 'no time' : genTime.toISOString()}`,
      )
      return
    }
    verifyTimeStamp(token, {
      hash: 'sha256',
      digest: hash('sha256', text, 'buffer'),
      anchors: anchors ?? certificates.filter(isSigner),
      at: genTime,
    })
  } catch (error) {
    if (error instanceof ExchangeError && error.code === 'timestamp.untrusted') {
      const detail = `the time-stamp over the tree of ${size}: ${error.message}`
      report({ code: 'stamp.untrusted', position: size, detail })
    } else if (
      error instanceof ExchangeError ||
      error instanceof DerError ||
      error instanceof CertificateError
    )
      altered(error.message)
    else throw error
  }
}

/**
 * What tokens themselves say of times, without their signatures. Those that say something else than their row are
 * left out: they are found altered where the tree is compared with them.
 */
export async function stampedSizes(stamps: LogSource['stamps']): Promise<StampedSize[]> {
  const sizes: StampedSize[] = []
  for (let stamp = await stamps.covering(1); stamp; stamp = await stamps.covering(stamp.size + 1)) {
    const { size, token, genTime } = stamp
    if (genTimeOf(token)?.getTime() === genTime.getTime()) sizes.push({ size, genTime })
  }
  return sizes
}

function genTimeOf(token: Buffer): Date | undefined {
  try {
    return parseTstInfo(parseSignedData(token).content).genTime
  } catch (error) {
    if (error instanceof DerError || error instanceof CertificateError) return undefined
    throw error
  }
}
