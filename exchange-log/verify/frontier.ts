import { EMPTY_ROOT, nodeHash } from '../../protocol/merkle-tree.ts'

/** Told of each subtree that became whole: its level (0: a leaf), its index within the level, its hash. */
export type OnWhole = (level: number, index: number, hash: Buffer) => void

/** The perfect subtrees that a tree consists of: enough to add to it, and to know its root at any size. */
export interface Frontier {
  readonly size: number
  /** Adds a perfect subtree; the size so far must be a multiple of its width. */
  push(hash: Buffer, level?: number): void
  root(): Buffer
  clone(onWhole?: OnWhole): Frontier
}

export function createFrontier(
  onWhole: OnWhole = () => undefined,
  start: { readonly size: number; readonly nodes: readonly (Buffer | undefined)[] } = {
    size: 0,
    nodes: [],
  },
): Frontier {
  const nodes = [...start.nodes]
  let { size } = start
  return {
    get size() {
      return size
    },
    push: (hash, from = 0) => {
      let level = from
      let whole = hash
      size += 2 ** level
      if (level > 0) onWhole(level, size / 2 ** level - 1, whole)
      for (let left = nodes[level]; left !== undefined; left = nodes[level]) {
        whole = nodeHash(left, whole)
        nodes[level] = undefined
        level += 1
        onWhole(level, size / 2 ** level - 1, whole)
      }
      nodes[level] = whole
    },
    root: () => {
      let root: Buffer | undefined
      for (const node of nodes) {
        if (node !== undefined) root = root === undefined ? node : nodeHash(node, root)
      }
      return root ?? EMPTY_ROOT
    },
    clone: (told = onWhole) => createFrontier(told, { size, nodes }),
  }
}
