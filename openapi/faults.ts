/** What is wrong with a description, for its owner. */
export interface Fault {
  /** JSON pointer into the description. */
  readonly pointer: string
  /** One sentence: what is wrong, or what to write instead. */
  readonly text: string
}

export const MAX_FAULTS = 50

/** A description that cannot be published: every fault that was found, the first {@link MAX_FAULTS}. */
export class DescriptionError extends Error {
  override readonly name = 'DescriptionError'
  readonly faults: readonly Fault[]
  readonly total: number

  constructor(faults: readonly Fault[]) {
    const distinct = [...new Map(faults.map((f) => [`${f.pointer} ${f.text}`, f])).values()]
    super(distinct.map(({ pointer, text }) => `${pointer}: ${text}`).join('\n'))
    this.faults = distinct.slice(0, MAX_FAULTS)
    this.total = distinct.length
  }
}

/** Takes faults in while reading goes on. */
export interface Faults {
  add(pointer: string, text: string): void
}
