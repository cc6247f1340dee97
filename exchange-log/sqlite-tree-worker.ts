/** The thread that changes a log's tree: a commit waits for the disk, and exchanges must not wait with it. */
import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import { addCosignatures, advance, openTree, thin } from './sqlite-tree.ts'
import type { StoredCheckpoint, TileWrite } from './tree-store.ts'

export type TreeChange =
  | {
      readonly advance: readonly [
        from: number,
        tiles: readonly TileWrite[],
        checkpoint: StoredCheckpoint,
      ]
    }
  | {
      readonly addCosignatures: readonly [
        size: number,
        lines: readonly string[],
        witnessedAt: Date | undefined,
      ]
    }
  | { readonly thin: Parameters<typeof thin>[1] }
export type TreeReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string }

function run(port: MessagePort, file: string): void {
  const db = openTree(file)
  const change = (request: TreeChange): unknown => {
    if ('advance' in request) return advance(db, ...request.advance)
    if ('addCosignatures' in request) return addCosignatures(db, ...request.addCosignatures)
    return thin(db, request.thin)
  }
  port.on('message', (request: { id: number } & (TreeChange | { close: true })) => {
    const reply = (message: Omit<TreeReply, 'id'>): void =>
      port.postMessage({ id: request.id, ...message })
    if ('close' in request) {
      db[Symbol.dispose]()
      reply({ result: undefined })
      return port.close()
    }
    try {
      reply({ result: change(request) })
    } catch (error) {
      reply({ error: `the tree cannot be written (${String(error)})` })
    }
  })
}

if (parentPort) run(parentPort, workerData as string)
