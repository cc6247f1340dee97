import { statSync } from 'node:fs'

/** Answers whether the files changed since it was last asked; false the first time. */
export function createFileWatch(...files: readonly string[]): () => boolean {
  let known = versionOf(files)
  return () => {
    const version = versionOf(files)
    const changed = version !== known
    known = version
    return changed
  }
}

function versionOf(files: readonly string[]): string {
  return files
    .map((file) => {
      const stats = statSync(file, { bigint: true, throwIfNoEntry: false })
      return stats ? `${stats.ino} ${stats.size} ${stats.mtimeNs} ${stats.ctimeNs}` : 'missing'
    })
    .join('; ')
}
