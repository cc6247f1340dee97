import { formatVkey, type NoteVerifier } from '../../protocol/signed-note.ts'
import { parsePolicy } from '../../protocol/tlog-policy.ts'

/**
 * The policy that evidence is given with: that of the instance, with the log's own key in it. Without a policy the
 * log alone signs, and nobody has to cosign.
 */
export function policyOf(instance: string | undefined, log: NoteVerifier): string {
  const own = `log ${formatVkey(log)}\n`
  if (instance === undefined) return `${own}quorum none\n`
  const hasOwn = parsePolicy(instance).logs.some(({ verifier }) => isSame(verifier, log))
  return hasOwn ? instance : `# Not in the catalogue:\n${own}${instance}`
}

function isSame(one: NoteVerifier, other: NoteVerifier): boolean {
  return one.name === other.name && one.keyId.equals(other.keyId)
}
