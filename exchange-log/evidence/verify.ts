/** Verifies an archive of evidence, offline: every check in turn, until the first that fails. */
import type { Certificate } from '../../pki/certificate.ts'
import { formatVkey } from '../../protocol/signed-note.ts'
import type { TlogPolicy } from '../../protocol/tlog-policy.ts'
import { countText } from '../../runtime/count-text.ts'
import { checkKept, checkPresence, readDescription } from './description.ts'
import { EvidenceError, type EvidenceErrorCode } from './evidence-errors.ts'
import {
  chainFile,
  CHAINS,
  FILE,
  incompleteness,
  jadesFile,
  manifestFile,
  MESSAGES,
  proofFile,
  recordFile,
  type Absence,
  type ExchangeDescription,
} from './layout.ts'
import { loadEvidence, type LoadedEvidence } from './loaded.ts'
import { readChain } from './verify-certificates.ts'
import { checkJades } from './verify-jades.ts'
import {
  checkCheckpoint,
  checkInclusion,
  checkLogTimeStamp,
  checkWitnesses,
  readPolicy,
} from './verify-log.ts'
import {
  checkAnswer,
  checkCertificate,
  checkMessage,
  checkSignature,
  memberIn,
  readMessage,
  type SignedMessage,
} from './verify-messages.ts'
import {
  checkErased,
  checkRecord,
  checkSigningTime,
  checkStampTime,
  readRecord,
} from './verify-records.ts'

export interface Check {
  /** What is checked, as `request signature`. */
  readonly name: string
  readonly isOk: boolean
  /** What was found, one sentence; of a failure what is wrong. */
  readonly says: string
  /** The files that it was found in. */
  readonly from: readonly string[]
  /** Of a failure. */
  readonly code?: EvidenceErrorCode
}
export interface Trust {
  /** Roots that certificates may lead to; undefined: those in the archive. */
  readonly anchors?: readonly Certificate[]
  /** Keys of logs and witnesses; undefined: the policy in the archive. */
  readonly policy?: string
}
export interface Report {
  /** `incomplete`: all that is here verifies, and something that belongs to it is not here. */
  readonly verdict: 'verified' | 'incomplete' | 'failed'
  readonly checks: readonly Check[]
  readonly absent: readonly Absence[]
  /** What was taken from the archive itself, and is to be compared with what was published. */
  readonly unpinned: readonly string[]
  readonly description?: ExchangeDescription
}

/** @param onCheck told of each check as it ends. @throws system errors when the file cannot be read. */
export async function verifyEvidence(
  file: string,
  trust: Trust = {},
  onCheck: (check: Check) => void = () => undefined,
): Promise<Report> {
  const checks: Check[] = []
  const run = async (
    name: string,
    from: readonly string[],
    check: () => string | Promise<string>,
  ): Promise<void> => {
    const done = (result: Pick<Check, 'isOk' | 'says' | 'code'>): void => {
      const entry = { name, from, ...result }
      checks.push(entry)
      onCheck(entry)
    }
    try {
      done({ isOk: true, says: await check() })
    } catch (error) {
      if (!(error instanceof EvidenceError)) throw error
      done({ isOk: false, says: error.message, code: error.code })
      throw error
    }
  }
  const found: { description?: ExchangeDescription; unpinned: string[] } = { unpinned: [] }
  try {
    await verifyAll(file, trust, run, found)
  } catch (error) {
    if (!(error instanceof EvidenceError)) throw error
    return { verdict: 'failed', checks, absent: found.description?.absent ?? [], ...found }
  }
  const absent = found.description?.absent ?? []
  const verdict = incompleteness(absent).length > 0 ? 'incomplete' : 'verified'
  return { verdict, checks, absent, ...found }
}

type Run = (
  name: string,
  from: readonly string[],
  check: () => string | Promise<string>,
) => Promise<void>

async function verifyAll(
  file: string,
  trust: Trust,
  run: Run,
  found: { description?: ExchangeDescription; unpinned: string[] },
): Promise<void> {
  let loaded: LoadedEvidence | undefined
  await run('files', [FILE.sums], async () => {
    loaded = await loadEvidence(file)
    return `${countText(loaded.names.length, 'file')}, each as listed`
  })
  const evidence = loaded!
  let described: ExchangeDescription | undefined
  const messages = new Map<string, SignedMessage>()
  await run('contents', [FILE.exchange], () => {
    described = readDescription(evidence)
    found.description = described
    const parts = described.records.map(({ part }) => part)
    const signed = MESSAGES.filter(
      (part) => parts.includes(part) && readRecord(evidence, part).manifest !== undefined,
    )
    checkPresence(evidence, described, signed)
    for (const part of signed) {
      checkKept(readRecord(evidence, part).kept, part, described.absent)
      checkErased(evidence, described, part)
      messages.set(part, readMessage(evidence, part))
    }
    return `${parts.join(' and ')} of ${described.exchangeId}, in the log ${described.origin}`
  })
  const description = described!
  await pinAnchors(evidence, trust, run, found.unpinned)
  for (const message of messages.values()) {
    await verifyMessage(evidence, description, { message, run, unpinned: found.unpinned })
  }
  const [request, response] = [messages.get('request'), messages.get('response')]
  if (request && response) {
    const from = [manifestFile('request'), manifestFile('response')]
    await run('answer', from, () => checkAnswer(request, response))
  }
  for (const { part } of description.records) {
    await run(`${part} record`, [recordFile(part)], () =>
      checkRecord(readRecord(evidence, part), description, part, messages.get(part)),
    )
  }
  await verifyLog(evidence, description, trust, run, found.unpinned)
}

/** The roots on which everything rests. */
async function pinAnchors(
  evidence: LoadedEvidence,
  { anchors }: Trust,
  run: Run,
  unpinned: string[],
): Promise<void> {
  const chains = CHAINS.filter((chain) => evidence.has(chainFile(chain)))
  await run('roots', chains.map(chainFile), () => {
    const roots = new Map<string, Certificate>()
    for (const chain of chains) {
      const root = readChain(evidence, chain).at(-1)!
      roots.set(root.thumbprint, root)
      if (
        anchors === undefined ||
        anchors.some(({ thumbprint }) => thumbprint === root.thumbprint)
      ) {
        continue
      }
      const sentence = `${chainFile(chain)} ends at ${root.subject}, which is not among the anchors`
      throw new EvidenceError('evidence.anchor-unknown', sentence)
    }
    if (anchors !== undefined) return `${countText(roots.size, 'root')}, each among the anchors`
    const shown = [...roots.values()].map(
      ({ subject, thumbprint }) =>
        `root ${subject}, SHA-256 ${Buffer.from(thumbprint, 'base64url').toString('hex')}`,
    )
    unpinned.push(...shown)
    return `${countText(roots.size, 'root')}, from the archive itself: nothing here vouches for them`
  })
}

async function verifyMessage(
  evidence: LoadedEvidence,
  description: ExchangeDescription,
  {
    message,
    run,
    unpinned,
  }: { readonly message: SignedMessage; readonly run: Run; readonly unpinned: string[] },
): Promise<void> {
  const { part } = message
  const signer = `${part}-signer` as const
  if (evidence.has(chainFile(signer))) {
    const chain = readChain(evidence, signer)
    const from = [manifestFile(part), chainFile(signer)]
    await run(`${part} signature`, from, () => checkSignature(message, chain[0]!))
    await run(`${part} certificate`, [chainFile(signer)], () =>
      checkCertificate(evidence, message, chain),
    )
    const { kid } = message.parsed.header
    if (memberIn(chain[0]!, kid) === undefined) {
      const { subject, thumbprint } = chain[0]!
      const hex = Buffer.from(thumbprint, 'base64url').toString('hex')
      unpinned.push(`certificate of ${kid}: ${subject}, SHA-256 ${hex}`)
    }
  }
  await run(`${part} message`, [manifestFile(part)], () => checkMessage(evidence, message))
  await run(`${part} time`, [manifestFile(part), recordFile(part)], () =>
    checkSigningTime(message, description),
  )
  await run(`${part} JAdES`, [jadesFile(part)], () => {
    const { level, stampedAt, says } = checkJades(evidence, message)
    if (stampedAt !== undefined) checkStampTime(jadesFile(part), stampedAt, message.signedAt)
    const said = description.jades[part]
    if (said === level) return says
    const sentence = `${FILE.exchange} says that ${jadesFile(part)} is ${said}, and it is ${level}`
    throw new EvidenceError('evidence.description-wrong', sentence)
  })
}

async function verifyLog(
  evidence: LoadedEvidence,
  description: ExchangeDescription,
  trust: Trust,
  run: Run,
  unpinned: string[],
): Promise<void> {
  if (!evidence.has(FILE.checkpoint)) return
  const isPinned = trust.policy !== undefined
  let policy: TlogPolicy | undefined
  await run('policy', [FILE.policy], () => {
    const own = readPolicy(evidence.text(FILE.policy), FILE.policy)
    policy = trust.policy === undefined ? own : readPolicy(trust.policy, 'the given policy')
    if (isPinned) return 'the one that was given'
    unpinned.push(
      ...policy.logs
        .filter(({ verifier }) => verifier.name === description.origin)
        .map(keyOf('log')),
      ...policy.witnesses.map(keyOf('witness')),
      `quorum ${quorumOf(policy)}`,
    )
    return 'from the archive itself: nothing here vouches for its keys'
  })
  const judged = policy!
  const unknown = isPinned ? 'evidence.policy-unknown' : 'evidence.checkpoint-invalid'
  let found: ReturnType<typeof checkCheckpoint> | undefined
  await run('checkpoint', [FILE.checkpoint, FILE.policy], () => {
    found = checkCheckpoint(evidence, judged, unknown)
    const { origin, size } = found.checkpoint
    if (origin === description.origin && size === description.checkpoint?.size) return found.says
    const sentence = `${FILE.exchange} names another log, or another checkpoint of it`
    throw new EvidenceError('evidence.description-wrong', sentence)
  })
  const { checkpoint } = found!
  await run('witnesses', [FILE.checkpoint, FILE.policy], () =>
    checkWitnesses(checkpoint, judged, {
      isAbsent: description.absent.some(({ what }) => what === 'cosignatures'),
      code: isPinned ? 'evidence.policy-unknown' : 'evidence.witnesses-too-few',
    }),
  )
  for (const { part } of description.records) {
    if (!evidence.has(proofFile(part))) continue
    await run(`${part} proof`, [recordFile(part), proofFile(part)], () =>
      checkInclusion(evidence, description, part, checkpoint),
    )
  }
  if (evidence.has(FILE.timeStamp) && evidence.has(chainFile('time-stamp'))) {
    await run('time-stamp', [FILE.timeStamp, FILE.checkpoint], () =>
      checkLogTimeStamp(evidence, description, checkpoint),
    )
  }
}

function keyOf(kind: string) {
  return ({ verifier }: TlogPolicy['logs'][number]): string => `${kind} ${formatVkey(verifier)}`
}

/** How many have to cosign: a policy of the same keys that asks for fewer is a weaker one. */
function quorumOf({ quorum, groups }: TlogPolicy): string {
  const group = groups.find(({ name }) => name === quorum)
  return group === undefined
    ? quorum
    : `${quorum}: ${group.threshold} of ${group.members.join(', ')}`
}
