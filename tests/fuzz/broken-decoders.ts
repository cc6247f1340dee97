import type { Decoders } from './decoders.ts'

const seeds = [Buffer.from('3003020101', 'hex')]

/** Decoders as they must not be: what the fuzz run is for is shown on them. */
export const DECODERS: Decoders = {
  crashes: {
    seeds,
    decode: (bytes) => {
      if (bytes.length === 4) throw new RangeError('read behind the end')
    },
  },
  hangs: {
    seeds,
    decode: (bytes) => {
      if (bytes.length === 3) for (;;);
    },
  },
  crawls: {
    seeds,
    decode: (bytes) => {
      const end = process.threadCpuUsage().user + 30_000
      if (bytes.length === 2) while (process.threadCpuUsage().user < end);
    },
  },
}
