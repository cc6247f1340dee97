import { watch, type FSWatcher } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { Logger } from '../../runtime/logger.ts'

const LONGEST_WAIT_MS = 5000

export interface FileWatcher extends Disposable {
  /** Announces a change once the file is quiet, although nothing was noticed. */
  checkAgain(): void
}

/**
 * Calls `onChange` after each change of `file`, once it was quiet for `quietMs`. The folder is
 * watched, because a watch on a file that is replaced by rename stays with the old one. Network file
 * systems and symbolic links report no changes of the target: the file is looked at every `pollMs`
 * as well.
 */
export function watchFile(
  file: string,
  options: { quietMs: number; pollMs: number; logger: Logger; onChange: () => void },
): FileWatcher {
  const { quietMs, pollMs, logger, onChange } = options
  let quiet: NodeJS.Timeout | undefined
  let closed = false
  let since: number | undefined
  let announced: string | undefined

  function noticed(): void {
    clearTimeout(quiet)
    if (closed) return
    since ??= performance.now()
    // A file that is never quiet is read all the same, now and then.
    const waited = performance.now() - since
    quiet = setTimeout(fire, waited > LONGEST_WAIT_MS ? 0 : quietMs).unref()
  }
  function fire(): void {
    since = undefined
    onChange()
  }
  async function poll(): Promise<void> {
    const now = await fingerprint(file)
    if (announced !== undefined && announced !== now) noticed()
    announced = now
  }

  const watcher = watchFolder(file, noticed, (err) =>
    logger.warn({ file, err }, `folder cannot be watched, changes are seen within ${pollMs} ms`),
  )
  const polling = setInterval(() => void poll(), pollMs).unref()
  void poll()
  return {
    checkAgain: noticed,
    [Symbol.dispose]: () => {
      closed = true
      watcher?.close()
      clearInterval(polling)
      clearTimeout(quiet)
    },
  }
}

function watchFolder(
  file: string,
  noticed: () => void,
  failed: (error: unknown) => void,
): FSWatcher | undefined {
  try {
    const watcher = watch(dirname(file), { persistent: false }, (_, name) => {
      // Some systems do not say which file it was.
      if (name === null || name === basename(file)) noticed()
    })
    watcher.on('error', (error) => {
      watcher.close()
      failed(error)
    })
    return watcher
  } catch (error) {
    failed(error)
    return undefined
  }
}

/** Changes with the file; `gone` when there is none. */
export async function fingerprint(file: string): Promise<string> {
  try {
    const { ino, size, mtimeNs, ctimeNs } = await stat(file, { bigint: true })
    return `${ino} ${size} ${mtimeNs} ${ctimeNs}`
  } catch {
    return 'gone'
  }
}
