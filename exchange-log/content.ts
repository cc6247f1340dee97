import type { Readable } from 'node:stream'
import type { HeaderBlock } from '../protocol/header-block.ts'
import type { SpooledBody } from '../runtime/spool.ts'
import type { Keeping } from './record.ts'
import type { SealedContent } from './store.ts'

/** What a message consists of beside its manifest. */
export interface MessageContent {
  readonly headers: HeaderBlock
  readonly body: SpooledBody
}

/** Encrypts what is kept of messages, each under a key of its own. */
export interface ContentSealer {
  /**
   * @param keep what is kept; with `none` there is nothing to seal.
   * @throws LogStoreError when a large body cannot be staged; SpoolError when it cannot be read.
   */
  seal(content: MessageContent, keep: Keeping): Promise<UnboundContent | undefined>
}

/** Encrypted content, not tied to a record yet. */
export interface UnboundContent {
  /** @param commitment of the record: the content opens with no other. */
  bind(commitment: Buffer): SealedContent
}

/** Reads what was kept. */
export interface ContentReader {
  /**
   * The header block of a record as it is hashed (protocol/README.md §4.3): `name:value\n`, one byte for each
   * character. Undefined when it was not kept, was erased, or left with an archive.
   *
   * @throws LogContentError when it was altered; KeyError when the encryption key cannot be asked now.
   */
  headers(position: number): Promise<Buffer | undefined>
  /** The body, in constant memory. The stream fails with LogContentError when it was altered. */
  body(position: number): Promise<Readable | undefined>
}

/** What was kept does not decrypt: it was altered, or belongs to another key. */
export class LogContentError extends Error {
  override readonly name = 'LogContentError'
}
