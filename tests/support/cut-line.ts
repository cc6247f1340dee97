import { connect, createServer, type Socket } from 'node:net'

/** A line to a server's socket that can be cut: before what is sent next arrives, or after, when the answer comes. */
export interface CutLine extends AsyncDisposable {
  readonly port: number
  /** @param what `request`: the next bytes that a client sends, and the line with them; `answer`: the next answer. */
  cutAt(what: 'request' | 'answer'): void
}

/** @param path of a Unix socket. */
export async function openCutLine(path: string): Promise<CutLine> {
  const sockets = new Set<Socket>()
  let cut: 'request' | 'answer' | undefined
  const server = createServer((near) => {
    const far = connect(path)
    const end = (): void => {
      near.destroy()
      far.destroy()
    }
    for (const socket of [near, far]) {
      sockets.add(socket)
      socket.on('error', end)
      socket.on('close', end)
    }
    const pass = (from: Socket, to: Socket, what: 'request' | 'answer'): void => {
      from.on('data', (bytes) => {
        if (cut === what) {
          cut = undefined
          end()
        } else to.write(bytes)
      })
    }
    pass(near, far, 'request')
    pass(far, near, 'answer')
  })
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))
  return {
    port: (server.address() as { port: number }).port,
    cutAt: (what) => {
      cut = what
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((done) => void server.close(() => done()))
    },
  }
}
