import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from './http.ts'

/** A Redis server of its own, in a temporary folder: nothing of the machine's is touched. */
export interface RedisServer extends AsyncDisposable {
  readonly port: number
  /** `kill`: as a crash does, and what was not written is lost; `pause`: it takes no part, but its connections stay. */
  stop(how?: 'kill' | 'pause'): Promise<void>
  /** After a kill it begins without data; nothing when it runs. */
  start(): Promise<void>
}

/** @param options further ones of redis-server, in its own words. */
export async function startRedis(...options: string[]): Promise<RedisServer> {
  const dir = mkdtempSync('/tmp/spean-redis-')
  const port = await freePort()
  let server: ChildProcess | undefined
  let paused = false
  const start = async (): Promise<void> => {
    if (paused) {
      server?.kill('SIGCONT')
      paused = false
      return
    }
    if (server !== undefined && server.exitCode === null && server.signalCode === null) return
    const settings = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', dir, '--save', '']
    const own = spawn('redis-server', [...settings, ...options], { stdio: 'ignore' })
    let fault: Error | undefined
    own.on('error', (error) => (fault = error))
    server = own
    for (let i = 0; !(await isOpen(port)); i += 1) {
      if (fault) throw new TypeError('Redis is missing; run: sh bin/test-tools', { cause: fault })
      if (own.exitCode !== null) throw new TypeError(`Redis ended with ${own.exitCode}`)
      if (i === 500) throw new TypeError('Redis does not start')
      await delay(10)
    }
  }
  const stop = async (how: 'kill' | 'pause' = 'kill'): Promise<void> => {
    const own = server
    if (own === undefined || own.exitCode !== null || own.signalCode !== null) return
    if (how === 'pause') {
      own.kill('SIGSTOP')
      paused = true
      return
    }
    const ended = once(own, 'exit')
    own.kill('SIGKILL')
    await ended
  }
  await start()
  return {
    port,
    stop,
    start,
    [Symbol.asyncDispose]: async () => {
      await stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function isOpen(port: number): Promise<boolean> {
  const socket = createConnection(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}
