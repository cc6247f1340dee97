/** How far long work is: a line that is written over on a terminal, the same line now and then in a pipe. */
export interface Progress extends Disposable {
  /** @param note what else is to be told, a few words. */
  update(done: number, total: number, note?: string): void
}

interface Options {
  readonly stream: Pick<NodeJS.WriteStream, 'write' | 'isTTY' | 'columns'>
  /** What is counted, as `records`. */
  readonly unit: string
  /** Milliseconds that only move forward. */
  readonly now?: () => number
}

const TERMINAL_MS = 200
const PIPE_MS = 5000
const BAR_WIDTH = 16

export function createProgress({ stream, unit, now = () => performance.now() }: Options): Progress {
  const begun = now()
  const everyMs = stream.isTTY ? TERMINAL_MS : PIPE_MS
  let shownAt = begun
  let isShown = false
  let last = ''
  const show = (text: string): void => {
    last = ''
    shownAt = now()
    isShown = true
    stream.write(
      stream.isTTY ? `\r\u001b[K${text.slice(0, (stream.columns || 80) - 1)}` : `${text}\n`,
    )
  }
  return {
    update: (done, total, note) => {
      const text = lineOf({ done, total, note, unit, seconds: (now() - begun) / 1000 })
      last = text
      if (now() - shownAt >= everyMs) show(text)
    },
    [Symbol.dispose]: () => {
      if (last !== '' && (isShown || stream.isTTY)) show(last)
      if (isShown && stream.isTTY) stream.write('\n')
    },
  }
}

function lineOf(state: {
  done: number
  total: number
  note: string | undefined
  unit: string
  seconds: number
}): string {
  const { done, total, note, unit, seconds } = state
  const share = total === 0 ? 1 : Math.min(1, done / total)
  const filled = Math.floor(share * BAR_WIDTH)
  const bar = `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}]`
  const rate = seconds > 0 ? done / seconds : 0
  const left = rate > 0 ? durationText((total - done) / rate) : '?'
  const percent = String(Math.floor(share * 100)).padStart(3)
  const parts = [
    `${bar} ${percent} %`,
    `${done} of ${total} ${unit}`,
    `${Math.round(rate)}/s`,
    `${left} left`,
    ...(note === undefined ? [] : [note]),
  ]
  return parts.join('  ')
}

function durationText(seconds: number): string {
  const whole = Math.ceil(seconds)
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)]
  const rest = String(whole % 60).padStart(2, '0')
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`
}
