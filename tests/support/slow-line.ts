import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** A line to `port` on which so many bytes a second pass in each direction, after the first few. */
export async function openSlowLine(
  port: number,
  bytesPerSecond: number,
): Promise<{ readonly port: number } & AsyncDisposable> {
  const sockets = new Set<Socket>()
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from)
      from.on('error', () => to.destroy())
      from.on('close', () => to.destroy())
      pass(from, to, bytesPerSecond).catch(() => to.destroy())
    }
  })
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))
  return {
    port: (server.address() as { port: number }).port,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((done) => void server.close(() => done()))
    },
  }
}

/** A handshake, and the head of a message. */
const FREE_BYTES = 32_768
const PIECE_BYTES = 4096

async function pass(from: Socket, to: Socket, bytesPerSecond: number): Promise<void> {
  let passed = 0
  for await (const chunk of from as AsyncIterable<Buffer>) {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      const piece = chunk.subarray(at, at + PIECE_BYTES)
      passed += piece.length
      if (passed > FREE_BYTES) await delay((piece.length * 1000) / bytesPerSecond)
      to.write(piece)
    }
  }
  to.end()
}
