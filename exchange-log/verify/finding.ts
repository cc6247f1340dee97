/** What a verification of a log can find, by code. docs/log-verification.md has the same table. */
export const FINDINGS = {
  'record.altered': 'What the record says is not what was committed to.',
  'record.back-dated':
    'The record was given an earlier time than it had, or than time-stamps allow.',
  'record.post-dated': 'The record says a later time than time-stamps allow.',
  'record.missing': 'A record that was in the log is gone.',
  'record.inserted': 'The record was put between others; the tree does not know it.',
  'record.swapped': 'The record stands in the place of another one.',
  'record.unreadable': 'The database cannot read the record.',
  'tile.altered': 'A tile of the tree is not what was signed; the records are.',
  'tile.missing': 'A tile of the tree is gone, or is too short.',
  'checkpoint.altered': 'A checkpoint was changed: its signature or its row does not fit it.',
  'checkpoint.unsigned': 'A checkpoint has no signature of the key of this log.',
  'checkpoint.forked': 'A checkpoint that the key of this log signed is of another tree.',
  'checkpoint.missing': 'There are tiles, stamps or records, and no checkpoint that covers them.',
  'cosignature.invalid': 'A cosignature of a witness of the policy does not verify.',
  'stamp.altered': 'A time-stamp is not about the tree of its size, or does not verify.',
  'stamp.untrusted': 'A time-stamp is not by an authority that the given certificates lead to.',
  'content.missing': 'Header block or body was kept, was not erased, and is gone.',
  'content.altered': 'Header block or body does not decrypt, or is not the one that was signed.',
  'manifest.signature-invalid': 'The signature of a manifest does not verify.',
  'manifest.certificate-missing': 'The certificate that a manifest was signed with is not kept.',
  'archive.altered': 'An archive is not the file that its description tells of.',
} as const satisfies Record<string, string>

export type FindingCode = keyof typeof FINDINGS

/** One thing that is wrong. */
export interface Finding {
  readonly code: FindingCode
  /** The first record concerned; undefined when it is about none in particular. */
  readonly position?: number
  /** The last one, when it cannot be told which of several it is, or when it is all of them. */
  readonly lastPosition?: number
  readonly exchangeId?: string
  /** One sentence. */
  readonly detail: string
}

/** Takes findings, in the order of positions as far as that is known. */
export type Report = (finding: Finding) => void
