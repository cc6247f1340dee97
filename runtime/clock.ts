/** The time, passed to whoever needs it: tests fix it, and nothing else reads the machine's clock. */
export type Clock = () => Date

export const systemClock: Clock = () => new Date()
