/** For threads that hand on rows: without it each may fill 48 MB with what is garbage already. */
export const WORKER_MEMORY = { maxYoungGenerationSizeMb: 8 } as const
