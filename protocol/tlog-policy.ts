/** Trust policies of transparency logs (C2SP tlog-policy): which logs, which witnesses, how many of them. */
import {
  isBy,
  NoteError,
  NOTE_TYPE,
  parseVkey,
  rawEd25519,
  type NoteVerifier,
} from './signed-note.ts'
import { verifyCosignature, type Checkpoint } from './checkpoint.ts'

export interface PolicyLog {
  readonly verifier: NoteVerifier
  readonly url: string | undefined
}
export interface PolicyWitness extends PolicyLog {
  /** What the policy calls it; the key has a name of its own. */
  readonly name: string
}
interface Group {
  readonly name: string
  readonly threshold: number
  readonly members: readonly string[]
}
export interface TlogPolicy {
  readonly logs: readonly PolicyLog[]
  readonly witnesses: readonly PolicyWitness[]
  readonly groups: readonly Group[]
  /** A witness, a group, or `none`. */
  readonly quorum: string
}

/** What a policy says of one checkpoint. */
export interface Witnessed {
  readonly isEnough: boolean
  /** The witnesses of the policy that cosigned, and when. */
  readonly by: readonly { readonly name: string; readonly at: Date }[]
}

const MOST_LINES = 100_000

/** @throws NoteError naming the line. */
export function parsePolicy(text: string): TlogPolicy {
  const logs: PolicyLog[] = []
  const witnesses: PolicyWitness[] = []
  const groups: Group[] = []
  const defined = new Set<string>()
  const grouped = new Set<string>()
  const keys = { log: new Set<string>(), witness: new Set<string>() }
  let quorum: string | undefined
  const key = (kind: 'log' | 'witness', vkey: string): NoteVerifier => {
    const verifier = parseVkey(vkey)
    const wanted = kind === 'log' ? NOTE_TYPE.ed25519 : NOTE_TYPE.cosignature
    if (verifier.type !== wanted) throw new NoteError(`the key is not one of a ${kind}`)
    const raw = rawEd25519(verifier.publicKey).toString('hex')
    if (keys[kind].has(raw)) throw new NoteError(`the key stands in another ${kind} line already`)
    keys[kind].add(raw)
    return verifier
  }
  const define = (name: string): void => {
    if (name === 'none' || defined.has(name)) throw new NoteError(`${name} is defined already`)
    defined.add(name)
  }
  const known = (name: string): void => {
    if (!defined.has(name)) throw new NoteError(`${name} is not defined before`)
  }
  const read = ([word, ...rest]: string[]): void => {
    const [first, second, third] = rest
    if (word === 'log' && first !== undefined && rest.length <= 2) {
      logs.push({ verifier: key('log', first), url: second })
    } else if (word === 'witness' && first && second && rest.length <= 3) {
      define(first)
      witnesses.push({ name: first, verifier: key('witness', second), url: third })
    } else if (word === 'group' && first && second && rest.length > 2) {
      const members = rest.slice(2)
      for (const member of members) {
        known(member)
        if (grouped.has(member)) throw new NoteError(`${member} is a member of a group already`)
        grouped.add(member)
      }
      groups.push({ name: first, threshold: thresholdOf(second, members.length), members })
      define(first)
    } else if (word === 'quorum' && first && rest.length === 1) {
      if (quorum !== undefined) throw new NoteError('there is a second quorum')
      if (first !== 'none') known(first)
      quorum = first
    } else
      throw new NoteError(`"${word}" is not a line of a policy, or has too few or too many words`)
  }
  const lines = text.split('\n')
  if (lines.length > MOST_LINES) throw new NoteError('the policy is too long')
  lines.forEach((line, i) => {
    const words = line.split(/[ \t]+/).filter((word) => word !== '')
    try {
      if (hasControls(line)) throw new NoteError('there is a control character')
      if (words.length === 0 || words[0]!.startsWith('#')) return
      read(words)
    } catch (cause) {
      if (!(cause instanceof NoteError)) throw cause
      throw new NoteError(`line ${i + 1} of the policy: ${cause.message}`, { cause })
    }
  })
  if (quorum === undefined) throw new NoteError('the policy has no quorum')
  return { logs, witnesses, groups, quorum }
}

/** tlog-policy, "Character set": tab is the only one in a line; those beyond ASCII are opaque. */
function hasControls(line: string): boolean {
  for (let i = 0; i < line.length; i += 1) {
    const code = line.charCodeAt(i)
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return true
  }
  return false
}

function thresholdOf(word: string, members: number): number {
  if (word === 'all') return members
  if (word === 'any') return 1
  const threshold = Number(word)
  if (/^[1-9]\d*$/.test(word) && threshold <= members) return threshold
  throw new NoteError(`${word} is not a number of witnesses from 1 to ${members}`)
}

/**
 * Which witnesses of a policy cosigned, and whether they are enough. That a log of the policy signed is for
 * {@link verifyNote}.
 *
 * @throws NoteError when a cosignature that names a witness of the policy does not verify.
 */
export function judgeCosignatures({ note }: Checkpoint, policy: TlogPolicy): Witnessed {
  const by = policy.witnesses.flatMap(({ name, verifier }) => {
    const found = note.signatures.find((signature) => isBy(signature, verifier))
    return found ? [{ name, at: verifyCosignature(note.text, found, verifier) }] : []
  })
  return {
    isEnough: isQuorum(
      by.map(({ name }) => name),
      policy,
    ),
    by,
  }
}

/** Whether witnesses of a policy, by what it calls them, are enough of them. */
export function isQuorum(
  names: Iterable<string>,
  { groups, quorum }: Pick<TlogPolicy, 'groups' | 'quorum'>,
): boolean {
  const satisfied = new Set(names)
  for (const { name, threshold, members } of groups) {
    const count = members.filter((member) => satisfied.has(member)).length
    if (count >= threshold) satisfied.add(name)
  }
  return quorum === 'none' || satisfied.has(quorum)
}
