/** What benches need that install whole instances. */
import { createServer } from 'node:net'
import { writeFileAtomically } from '../runtime/private-file.ts'

const HOST = '127.0.0.1'

export function writeJson(file: string, value: object): void {
  writeFileAtomically(file, `${JSON.stringify(value, undefined, 2)}\n`)
}

/** Ports that nobody listens on now, each another one. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((done) =>
          server.listen(0, HOST, () => done((server.address() as { port: number }).port)),
        ),
    ),
  )
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))))
  return ports
}
