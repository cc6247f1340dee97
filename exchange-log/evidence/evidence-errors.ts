/** What `spean evidence verify` finds wrong: stable codes, none of which crosses a wire (docs/evidence.md). */
export const EVIDENCE_ERRORS = {
  'evidence.not-an-archive': 'The file is no ZIP archive of the form that evidence has',
  'evidence.entry-refused':
    'An entry has a name that leads elsewhere, is a link or a folder, is compressed or encrypted, or stands twice',
  'evidence.too-large': 'An entry, or their number, is larger than evidence ever is',
  'evidence.file-missing': 'A file that belongs to the evidence is not there, and nothing says why',
  'evidence.file-extra': 'There is a file that does not belong to evidence',
  'evidence.sums-wrong': 'A file is not the one that SHA256SUMS lists',
  'evidence.malformed': 'A file cannot be read as what its name says',
  'evidence.description-wrong': 'exchange.json says something else than what is signed or recorded',
  'evidence.signature-invalid': 'The signature of a manifest does not verify',
  'evidence.message-altered': 'Header block or body are not the ones that were signed',
  'evidence.answer-mismatch': 'The response answers another request',
  'evidence.jades-altered': 'A signature lifted to JAdES is not the one of the manifest',
  'evidence.certificate-untrusted':
    'A certificate does not lead to its root, was not valid at that time, or is not the one that signed',
  'evidence.certificate-revoked':
    'A certificate was revoked when it signed, or no answer shows that it was not',
  'evidence.record-altered': 'A record of the log is not the one that its tree commits to',
  'evidence.proof-invalid': 'A record is not in the tree of the checkpoint',
  'evidence.checkpoint-invalid': 'The checkpoint is not signed by the log of the policy',
  'evidence.witnesses-too-few': 'Fewer witnesses cosigned the checkpoint than the policy asks for',
  'evidence.time-stamp-invalid':
    'A time-stamp is not about what it stands beside, or is not trusted',
  'evidence.times-contradict':
    'A message was signed outside of the time that its records tell of, or stamped before it was made',
  'evidence.anchor-unknown': 'A root in the archive is none of those that --anchor gives',
  'evidence.policy-unknown':
    'The log, or a witness that counts, is none of those that --policy gives',
} as const satisfies Record<string, string>
export type EvidenceErrorCode = keyof typeof EVIDENCE_ERRORS

/** What is wrong with evidence. The message is one sentence, and names the file. */
export class EvidenceError extends Error {
  override readonly name = 'EvidenceError'
  readonly code: EvidenceErrorCode
  constructor(code: EvidenceErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
