/** Checks of the signatures that were lifted to JAdES. */
import { readJson } from './description.ts'
import { EvidenceError } from './evidence-errors.ts'
import { signatureOf } from './jades.ts'
import { chainFile, jadesFile, ocspFile, type ChainName } from './layout.ts'
import type { LoadedEvidence } from './loaded.ts'
import { checkTimeStamp, readChain } from './verify-certificates.ts'
import type { SignedMessage } from './verify-messages.ts'

export interface JadesFound {
  /** ETSI TS 119 182-1 §6. */
  readonly level: 'B-B' | 'B-T' | 'B-LT'
  readonly stampedAt: Date | undefined
  readonly says: string
}

type JsonObject = Readonly<Record<string, unknown>>
type Altered = (why: string) => EvidenceError

/** The lifted signature is the manifest's, with the certificates and answers of the archive, and its time-stamp is about it. */
export function checkJades(evidence: LoadedEvidence, { part, jws }: SignedMessage): JadesFound {
  const name = jadesFile(part)
  const altered: Altered = (why) => new EvidenceError('evidence.jades-altered', `${name} ${why}`)
  const { payload, protected: header, signature, etsiU } = readFlattened(evidence, name, altered)
  if (`${header}.${payload}.${signature}` !== jws)
    throw altered('has another signature than the manifest')
  const { token, certificates, answers } = readEtsiU(etsiU, altered)
  const chains = [`${part}-signer`, `${part}-stamp`] as const
  const known = chains.filter((chain) => evidence.has(chainFile(chain)))
  const wanted = valuesOf(evidence, known)
  if (!isSame(certificates, wanted.certificates)) {
    throw altered('has other certificates than those of its signer and stamper')
  }
  if (!isSame(answers, wanted.answers)) throw altered('has other answers than those about them')
  if (token === undefined) {
    if (!known.includes(`${part}-stamp`)) {
      return { level: 'B-B', stampedAt: undefined, says: 'the same signature, without time-stamp' }
    }
    throw altered(`has no time-stamp, and ${chainFile(`${part}-stamp`)} is here`)
  }
  const isLong = chains.every((chain) => known.includes(chain) && evidence.has(ocspFile(chain, 0)))
  const level = isLong ? 'B-LT' : 'B-T'
  if (!known.includes(`${part}-stamp`)) {
    const says = 'the same signature; who made its time-stamp is not known'
    return { level, stampedAt: undefined, says }
  }
  const place = { file: name, chain: `${part}-stamp` } as const
  const { genTime } = checkTimeStamp(evidence, place, token, signatureOf(jws))
  const says = `the same signature, which existed at ${genTime.toISOString()}`
  return { level, stampedAt: genTime, says }
}

/** As `toJades` writes it, byte by byte: of a member that stands twice, readers take the one or the other. */
function readFlattened(evidence: LoadedEvidence, name: string, altered: Altered) {
  const jades = readJson(evidence, name)
  if (!isObject(jades) || `${JSON.stringify(jades, undefined, 1)}\n` !== evidence.text(name)) {
    throw altered('is not written as §12.6 says')
  }
  const { payload, protected: header, signature, header: unprotected, ...more } = jades
  const members = isObject(unprotected) ? unprotected : {}
  const { etsiU, ...others } = members
  if (!Array.isArray(etsiU)) throw altered('has no etsiU')
  const [unknown] = [...Object.keys(more), ...Object.keys(others)]
  if (unknown !== undefined) throw altered(`has a member ${JSON.stringify(unknown.slice(0, 50))}`)
  return {
    payload: String(payload),
    protected: String(header),
    signature: String(signature),
    etsiU,
  }
}

/** Each component at most once, with the members of §12.6 and no others. */
function readEtsiU(etsiU: readonly unknown[], altered: Altered) {
  const found = new Map<string, unknown>()
  for (const item of etsiU) {
    const component = readItem(item, altered)
    const [name = '', ...more] = Object.keys(component)
    if (!['sigTst', 'xVals', 'rVals'].includes(name) || more.length > 0 || found.has(name)) {
      throw altered(`has an item in etsiU that is none of sigTst, xVals and rVals, or one twice`)
    }
    found.set(name, component[name])
  }
  const list = (value: unknown, wrapper?: string): Buffer[] => {
    if (!Array.isArray(value) || value.length === 0) throw altered('has an empty item in etsiU')
    return value.map((one: unknown) => {
      const inner = wrapper === undefined ? one : memberOf(one, wrapper, altered)
      const text = memberOf(inner, 'val', altered)
      const bytes = Buffer.from(String(text), 'base64')
      if (bytes.toString('base64') !== text) throw altered('has a value that is not Base64')
      return bytes
    })
  }
  const stamps = found.has('sigTst')
    ? list(memberOf(found.get('sigTst'), 'tstTokens', altered))
    : []
  if (stamps.length > 1) throw altered('has several time-stamps')
  return {
    token: stamps[0],
    certificates: found.has('xVals') ? list(found.get('xVals'), 'x509Cert') : [],
    answers: found.has('rVals') ? list(memberOf(found.get('rVals'), 'ocspVals', altered)) : [],
  }
}

function readItem(item: unknown, altered: Altered): JsonObject {
  const text = Buffer.from(String(item), 'base64url').toString('utf8')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw altered('has an item in etsiU that is not JSON')
  }
  const isExact = Buffer.from(JSON.stringify(value)).toString('base64url') === item
  if (isObject(value) && isExact) return value
  throw altered('has an item in etsiU that is not written as §12.6 says')
}

/** The one member that an object may have. */
function memberOf(value: unknown, name: string, altered: Altered): unknown {
  if (isObject(value) && Object.keys(value).length === 1 && Object.hasOwn(value, name)) {
    return value[name]
  }
  throw altered(`has an item in etsiU that is not ${name} alone`)
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Certificates and answers that belong to chains of the archive. */
function valuesOf(evidence: LoadedEvidence, chains: readonly ChainName[]) {
  const paths = chains.map((chain) => ({ chain, path: readChain(evidence, chain) }))
  return {
    certificates: paths.flatMap(({ path }) => path.map(({ der }) => der)),
    answers: paths.flatMap(({ chain, path }) =>
      path.flatMap((_, place) => {
        const file = ocspFile(chain, place)
        return evidence.has(file) ? [evidence.bytes(file)] : []
      }),
    ),
  }
}

function isSame(some: readonly Buffer[], others: readonly Buffer[]): boolean {
  const set = (values: readonly Buffer[]) => new Set(values.map((one) => one.toString('base64')))
  return set(some).symmetricDifference(set(others)).size === 0
}
