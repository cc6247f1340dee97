import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface SmallDisk extends Disposable {
  readonly dir: string
  /** Leaves no free byte. */
  fill(): void
  /** Takes away what `fill` wrote. */
  clear(): void
  /** As a system does with a disk that has faults; no file may be open for writing. */
  makeReadOnly(): void
}

/** Mounts a file system of its own in memory; it needs root, or sudo without a password. */
export function mountSmallDisk(bytes: number): SmallDisk {
  const dir = mkdtempSync(join(tmpdir(), 'small-disk-'))
  const asRoot = (...command: string[]): void => {
    const [file, ...args] = process.getuid?.() === 0 ? command : ['sudo', '-n', ...command]
    execFileSync(file!, args, { stdio: 'pipe' })
  }
  asRoot('mount', '-t', 'tmpfs', '-o', `size=${bytes},mode=0777`, 'tmpfs', dir)
  const ballast = join(dir, 'ballast')
  return {
    dir,
    fill: () => {
      const { bavail, bsize } = statfsSync(dir)
      writeFileSync(ballast, Buffer.alloc(bavail * bsize))
    },
    clear: () => rmSync(ballast),
    makeReadOnly: () => asRoot('mount', '-o', 'remount,ro', dir),
    [Symbol.dispose]: () => {
      asRoot('umount', '-l', dir)
      rmdirSync(dir)
    },
  }
}
